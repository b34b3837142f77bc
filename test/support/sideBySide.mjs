// `node sideBySide.mjs SCRIPT…`: runs npm scripts at the same time; where one fails, shows what each that failed said.
import { spawn } from 'node:child_process'

const outcomes = await Promise.all(process.argv.slice(2).map(run))
const failed = outcomes.filter(({ code }) => code !== 0)
for (const { script, code, said } of failed) console.error(`\n${said}\nnpm run ${script} failed (${code})`)
process.exitCode = failed.length === 0 ? 0 : 1

function run(script) {
  const startedMs = performance.now()
  const child = spawn('npm', ['run', '--silent', script], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text))
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ script, code: error.message, said }))
    child.once('close', (code, signal) => {
      console.log(`${script}: ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`)
      resolve({ script, code: code ?? signal, said })
    })
  })
}
