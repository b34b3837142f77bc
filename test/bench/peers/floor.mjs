// The floor: plain fastify and better-sqlite3 doing a compare-and-swap with group commit, nothing else.
import Database from 'better-sqlite3'
import fastify from 'fastify'

const database = new Database(process.argv[2])
database.pragma('journal_mode = WAL')
database.pragma('synchronous = FULL')
database.exec('CREATE TABLE documents (id TEXT PRIMARY KEY, version INTEGER NOT NULL, content TEXT NOT NULL) STRICT')
const swap = database.prepare('UPDATE documents SET version = version + 1, content = ? WHERE id = ? AND version = ?')
const newest = database.prepare('SELECT version FROM documents WHERE id = ?').pluck()
const create = database.prepare('INSERT INTO documents (id, version, content) VALUES (?, 1, ?) ON CONFLICT DO NOTHING')

let waiting = []
function flush() {
  const batch = waiting
  waiting = []
  database.exec('BEGIN IMMEDIATE')
  const changes = batch.map(({ body, id }) =>
    body.baseVersion === 0
      ? create.run(id, body.content).changes
      : swap.run(body.content, id, body.baseVersion).changes,
  )
  database.exec('COMMIT')
  batch.forEach(({ resolve }, index) => resolve(changes[index]))
}

const app = fastify()
app.put('/documents/:id', async (request, reply) => {
  const { id } = request.params
  const changes = await new Promise((resolve) => {
    if (waiting.length === 0) setImmediate(flush)
    waiting.push({ id, body: request.body, resolve })
  })
  if (changes === 0) return reply.code(409).send({ version: newest.get(id) })
  return { id, version: request.body.baseVersion + 1 }
})
await app.listen({ port: 0, host: '127.0.0.1' })
console.log(`listening on http://127.0.0.1:${app.server.address().port}`)
