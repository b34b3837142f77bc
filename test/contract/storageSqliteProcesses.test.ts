import { existsSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { toSequence, trustedDocumentId } from '../../server/foundation/ids.ts'
import { EVERYTHING, newFile, NOTHING, opened } from '../support/storageFile.ts'
import { StorageProcess } from '../support/storageProcess.ts'
import { open } from '../support/storageSqlite.ts'

function child(...parameters: ConstructorParameters<typeof StorageProcess>): StorageProcess {
  const started = new StorageProcess(...parameters)
  onTestFinished(() => started.kill())
  return started
}

it('[OPS-4] a second process is refused, and a lock left by kill -9 does not bar a start', async () => {
  const file = newFile()
  const holder = child('hold', file, 'thread')
  await holder.said(1)
  expect(holder.lines).toEqual(['open'])
  await expect(open(file)).rejects.toMatchObject({ reason: 'in-use' })
  const second = child('close', file, 'inline')
  expect(await second.ended()).toBe(1)
  expect(second.lines).toEqual([expect.stringMatching(/^in-use: .*parley\.db/)])
  await holder.kill()
  expect(existsSync(`${file}-lock`)).toBe(true)
  await opened(file)
})

for (const writer of ['inline', 'thread', 'turns'] as const) {
  it(`[WRITE-10] what was acknowledged survives kill -9 (writing ${writer})`, async () => {
    const file = newFile()
    const process = child('write', file, writer)
    await process.said(500)
    await process.kill()
    const acknowledged = new Map<string, number>()
    for (const line of process.lines.slice(1)) {
      const [name, version] = line.split(' ')
      if (name !== undefined) acknowledged.set(name, Number(version))
    }
    expect(acknowledged.size).toBe(8)
    const storage = await opened(file)
    let entries = 0
    for (const [name, version] of acknowledged) {
      const id = trustedDocumentId(name)
      const log = await storage.entries(id, NOTHING, EVERYTHING, 1_000_000)
      expect(log.length).toBeGreaterThanOrEqual(version)
      expect(await storage.head(id)).toMatchObject({ version: log.length })
      entries += log.length
    }
    expect(await storage.events(toSequence(0), 1_000_000)).toHaveLength(entries)
  })
}

it('a process that lost its writer refuses what waits and then crashes', async () => {
  const process = child('lose-writer', newFile(), 'thread')
  expect(await process.ended()).toBe(1)
  expect(process.lines).toEqual(['open', 'refused'])
  expect(process.errors).toContain('The writer of the storage has failed')
})
