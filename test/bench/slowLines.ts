/**
 * `npm run soak -- slow`: stock editors behind a line of 32 KiB/s. One inserts 4 MiB at once, one opens them: each takes
 * over two minutes, in which nobody may be cut.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { FaultyLine } from '../support/faultyLine.ts'
import { Page } from '../support/linePage.ts'
import { startTestServer } from '../support/server.ts'

const BYTES_PER_SECOND = 32 * 1024
const TEXT_BYTES = 4 * 1024 * 1024
/** Twice what the bytes take. */
const PATIENCE_MS = (2 * 1_000 * TEXT_BYTES) / BYTES_PER_SECOND

/** Answers whether all of it arrived without a cut, either way. */
export async function soakSlowLines(): Promise<boolean> {
  const server = await startTestServer()
  const line = await FaultyLine.start(server.url)
  line.narrow(BYTES_PER_SECOND)
  const token = await server.token('alice')
  const closed: number[] = []
  const open = (url: string, id: string): Page => {
    const page = new Page({ url, id, token })
    page.provider.on('connection-close', (event) => void (event && closed.push(event.code)))
    return page
  }
  const until = async (isSo: () => boolean): Promise<number | null> => {
    const startMs = performance.now()
    while (!isSo()) {
      if (performance.now() - startMs > PATIENCE_MS) return null
      await pause(100)
    }
    return Math.round((performance.now() - startMs) / 1_000)
  }
  const text = (page: Page): string => page.doc.getText('content').toString()
  const content = 'The quick brown fox jumps over the lazy dog, again and again.\n'.repeat(TEXT_BYTES / 62)

  const rest = await server.as('rest')
  await rest.post('/documents', { id: 'opened', kind: 'text', content })
  const writer = open(line.url, 'inserted')
  const onlooker = open(server.url, 'inserted')
  await until(() => writer.isSynced() && onlooker.isSynced())
  writer.doc.getText('content').insert(0, content)
  const reader = open(line.url, 'opened')
  const [insertedS, openedS] = await Promise.all([
    until(() => text(onlooker) === content),
    until(() => text(reader) === content),
  ])
  console.log(
    `  inserted after ${insertedS ?? 'never'} s, opened after ${openedS ?? 'never'} s, cut with [${closed.join(', ')}]`,
  )
  const isRight = insertedS !== null && openedS !== null && closed.length === 0
  for (const page of [writer, onlooker, reader]) page.destroy()
  await line.close()
  await server.stop()
  return isRight
}
