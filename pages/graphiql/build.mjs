// Bundles GraphiQL into the folder given as the first argument and writes manifest.json, which names the hashed files.
import { writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { build } from 'esbuild'

const [outdir, inputs] = process.argv.slice(2)
if (!outdir || !inputs) throw new Error('usage: node build.mjs OUTPUT_FOLDER INPUTS_HASH')

const shared = {
  outdir,
  bundle: true,
  minify: true,
  metafile: true,
  target: 'es2022',
  logLevel: 'warning',
  entryNames: '[name]-[hash]',
  chunkNames: 'chunk-[hash]',
  legalComments: 'external',
  define: { 'process.env.NODE_ENV': '"production"' },
}

// graphiql/style.css already holds Monaco's styles; the copies that Monaco's modules import would be dead weight.
const dropMonacoStyles = {
  name: 'drop-monaco-styles',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]monaco-editor[\\/].*\.css$/ }, () => ({ contents: '' }))
  },
}

function files(result) {
  return Object.fromEntries(
    Object.entries(result.metafile.outputs)
      .filter(([, output]) => output.entryPoint)
      .map(([path, output]) => [output.entryPoint, { script: basename(path), style: output.cssBundle }]),
  )
}

const workerModules = {
  editor: 'node_modules/monaco-editor/esm/vs/editor/editor.worker.js',
  graphql: 'node_modules/monaco-graphql/esm/graphql.worker.js',
  json: 'node_modules/monaco-editor/esm/vs/language/json/json.worker.js',
}
const workers = await build({ ...shared, entryPoints: Object.values(workerModules), format: 'iife' })
const workerFiles = Object.fromEntries(
  Object.entries(workerModules).map(([label, module]) => [label, files(workers)[module].script]),
)

const page = await build({
  ...shared,
  entryPoints: ['src/main.jsx'],
  format: 'esm',
  splitting: true,
  jsx: 'automatic',
  define: { ...shared.define, WORKER_FILES: JSON.stringify(workerFiles) },
  plugins: [dropMonacoStyles],
})
const main = files(page)['src/main.jsx']
const outputs = [workers, page].flatMap((result) => Object.keys(result.metafile.outputs).map((path) => basename(path)))

const manifest = { inputs, script: main.script, style: basename(main.style), files: outputs.sort() }
await writeFile(join(outdir, 'manifest.json'), JSON.stringify(manifest, null, 2) + '\n')
