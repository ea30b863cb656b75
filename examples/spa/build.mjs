// Bundles the page into the folder that is given, or into dist.
import { copyFile, mkdir } from "node:fs/promises";
import { build } from "esbuild";

const target = process.argv[2] ?? "dist";
await mkdir(target, { recursive: true });
await build({
  entryPoints: ["src/main.ts"],
  bundle: true,
  format: "esm",
  minify: true,
  outfile: `${target}/main.js`,
  logLevel: "warning",
});
for (const file of ["index.html", "style.css"]) await copyFile(`src/${file}`, `${target}/${file}`);
