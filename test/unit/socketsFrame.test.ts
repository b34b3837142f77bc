import type { Writable } from 'node:stream'
import * as ws from 'ws'
import { expect, it } from 'vitest'
import { binaryFrame, textFrame } from '../../server/sockets/frame.ts'

/** What a ws client reads frames with; its types do not tell of it. */
const { Receiver } = ws as unknown as { Receiver: new (options: { isServer: boolean }) => Writable }

/** The messages a client reads from these bytes. */
async function read(bytes: Buffer): Promise<{ readonly text: string; readonly isBinary: boolean }[]> {
  const receiver = new Receiver({ isServer: false })
  const messages: { text: string; isBinary: boolean }[] = []
  receiver.on('message', (data: Buffer, isBinary: boolean) => messages.push({ text: String(data), isBinary }))
  await new Promise<void>((resolve, reject) => {
    receiver.once('error', reject)
    receiver.end(bytes, resolve)
  })
  return messages
}

it('[NOTE-2] a shared frame is read as it was written, at every length where its head changes its form', async () => {
  const texts = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000].flatMap((length) => [
    'x'.repeat(length),
    `${'é'.repeat(Math.floor(length / 2))}${length % 2 === 1 ? '!' : ''}`,
  ])
  for (const text of [...texts, '😀', '{"a":"\u2028"}']) {
    expect(await read(textFrame(text)), `${text.length} characters`).toEqual([{ text, isBinary: false }])
  }
  for (const text of texts) {
    expect(await read(binaryFrame(Buffer.from(text)))).toEqual([{ text, isBinary: true }])
  }
  expect(await read(Buffer.concat(texts.map(textFrame)))).toEqual(texts.map((text) => ({ text, isBinary: false })))
})
