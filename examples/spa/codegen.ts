import type { CodegenConfig } from "@graphql-codegen/cli";

// `schema.graphql` is what `gateway schema --role customer` prints; `make example` writes it before this runs.
const config: CodegenConfig = {
  schema: "schema.graphql",
  documents: "src/*.ts",
  generates: {
    "src/gql/": {
      preset: "client",
      config: {
        enumsAsTypes: true,
        strictScalars: true,
        useTypeImports: true,
        scalars: { Currency: "string", DateTime: "string", MinorUnits: "number" },
      },
    },
  },
};
export default config;
