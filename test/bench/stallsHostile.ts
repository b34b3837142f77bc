import { createGzip, gzipSync } from 'node:zlib'
import { buffer } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { createDocument, KIBIBYTE, MEBIBYTE } from './stallScene.ts'
import type { Scene, StallingAct } from './stallingAct.ts'

/** What nobody sends by accident: each is refused, and that is to cost nobody else their turn. */
export const HOSTILE_ACTS: readonly StallingAct[] = [
  {
    name: 'a gzip body of # MiB of zeros, inflated',
    sizes: [10, 1_000],
    async prepare(scene, size) {
      await createDocument(scene, { kind: 'text', content: '' })
      const body = await zeros(size)
      return async () => {
        await put(scene, '/content?baseVersion=1', body, 'text/plain', [413, 200])
        return nothing
      }
    },
  },
  {
    name: 'a body of # KiB of nested arrays',
    sizes: [100, 10_000, 60_000],
    async prepare(scene, size) {
      await createDocument(scene, { kind: 'json', content: {} })
      const half = (size * KIBIBYTE) / 2
      const body = gzipSync(`{"baseVersion":1,"content":{"a":${'['.repeat(half)}${']'.repeat(half)}}}`)
      return async () => {
        await put(scene, '', body, 'application/json', [400, 413, 422])
        return nothing
      }
    },
  },
  {
    name: 'a body of # KiB of zeros in an array',
    sizes: [100, 10_000, 60_000],
    async prepare(scene, size) {
      await createDocument(scene, { kind: 'json', content: {} })
      const body = gzipSync(`{"baseVersion":1,"content":{"a":[${'0,'.repeat((size * KIBIBYTE) / 2)}0]}}`)
      return async () => {
        await put(scene, '', body, 'application/json', [400, 413, 422, 200])
        return nothing
      }
    },
  },
  {
    name: 'a body of # KiB of control characters, escaped',
    sizes: [10_000, 60_000],
    async prepare(scene, size) {
      await createDocument(scene, { kind: 'text', content: '' })
      const body = gzipSync(`{"baseVersion":1,"content":"${String.raw`\u0001`.repeat((size * KIBIBYTE) / 6)}"}`)
      return async () => {
        await put(scene, '', body, 'application/json', [200, 413])
        return nothing
      }
    },
  },
  {
    name: 'a schema with a pattern of # counted repetitions',
    sizes: [10, 1_000],
    async prepare(scene, size) {
      await createDocument(scene, { kind: 'json', content: {} })
      const schema = { properties: { a: { pattern: `^${'(a{0,9})'.repeat(size)}$` } } }
      return async () => {
        await scene.writer.patch(`/documents/${scene.id}`, { schema, baseVersion: 1 })
        return nothing
      }
    },
  },
]

const nothing = (): void => undefined

/** So many MiB of zeros, compressed a thousandfold. */
async function zeros(size: number): Promise<Buffer> {
  const chunk = Buffer.alloc(MEBIBYTE)
  return buffer(Readable.from(Array.from({ length: size }, () => chunk)).pipe(createGzip()))
}

async function put(
  { parley, token, id }: Scene,
  path: string,
  body: Buffer,
  type: string,
  wanted: number[],
): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': type, 'content-encoding': 'gzip' }
  const answer = await fetch(`${parley.url}/documents/${id}${path}`, {
    method: 'PUT',
    headers,
    body: new Uint8Array(body),
  })
  await answer.text()
  if (!wanted.includes(answer.status)) throw new Error(`${wanted.join(' or ')} was expected, and not ${answer.status}`)
}
