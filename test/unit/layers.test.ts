import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { breachOf, importsOf } from '../support/layers.ts'

const server = resolve(import.meta.dirname, '../../server')

const serverFiles = async (): Promise<string[]> =>
  (await readdir(server, { recursive: true })).filter((file) => file.endsWith('.ts'))

/** By file: imports that its layer refuses, and some that it allows. */
const PLANTED: Readonly<Record<string, { refused: string[]; allowed: string[] }>> = {
  'foundation/x.ts': {
    refused: ['../content/content.ts', 'yjs', 'node:fs'],
    allowed: ['./ids.ts', 'node:crypto'],
  },
  'content/x.ts': {
    refused: ['../model/document.ts', '../storage/storage.ts', '../http/server.ts', 'fastify', 'ws', 'node:fs'],
    allowed: ['./content.ts', '../foundation/ids.ts', 'yjs'],
  },
  'model/document.ts': {
    refused: ['../documents/write.ts', '../storage/storage.ts', 'yjs'],
    allowed: ['../foundation/ids.ts', '../content/content.ts'],
  },
  'conflicts/resolvedContent.ts': {
    refused: ['../storage/storage.ts', '../http/mount.ts', '../documents/write.ts', 'yjs', 'ws'],
    allowed: ['./concurrentEdit.ts', '../content/merge.ts', '../model/document.ts'],
  },
  'conflicts/resolve.ts': {
    refused: [
      '../storage/sqlite/open.ts',
      '../http/mount.ts',
      '../sync/room.ts',
      '../app.ts',
      'better-sqlite3',
      'fastify',
    ],
    allowed: ['../storage/view.ts', '../documents/write.ts', '../access/access.ts'],
  },
  'history/diff.ts': {
    refused: ['../storage/storage.ts', '../documents/write.ts', '../http/mount.ts', 'yjs'],
    allowed: ['../content/merge.ts', '../model/document.ts'],
  },
  'history/reader.ts': {
    refused: [
      '../storage/sqlite/open.ts',
      '../http/mount.ts',
      '../sync/room.ts',
      '../app.ts',
      'better-sqlite3',
      'fastify',
    ],
    allowed: ['../storage/view.ts', '../documents/past.ts', './diff.ts'],
  },
  'transactions/transaction.ts': {
    refused: ['../storage/storage.ts', '../documents/write.ts', '../http/mount.ts', 'yjs'],
    allowed: ['../foundation/problems.ts'],
  },
  'transactions/transactor.ts': {
    refused: [
      '../storage/sqlite/open.ts',
      '../http/mount.ts',
      '../sync/room.ts',
      '../app.ts',
      'better-sqlite3',
      'fastify',
    ],
    allowed: ['../documents/plan.ts', '../model/lockRefusal.ts', './gravest.ts'],
  },
  'documents/write.ts': {
    refused: [
      '../storage/sqlite/open.ts',
      '../http/server.ts',
      '../conflicts/resolve.ts',
      '../app.ts',
      'fastify',
      'jose',
    ],
    allowed: ['../storage/view.ts', './commit.ts', './staleWrite.ts', '../access/access.ts', 'yjs'],
  },
  'api/documents.ts': {
    refused: ['../storage/sqlite/open.ts', '../documents/replica.ts', '../app.ts', 'yjs', 'ws', 'better-sqlite3'],
    allowed: ['../http/mount.ts', '../storage/view.ts', '../documents/write.ts', 'fastify'],
  },
  'model/lock.ts': {
    refused: ['../storage/storage.ts', '../documents/write.ts', '../http/mount.ts', 'fastify'],
    allowed: ['../foundation/ids.ts'],
  },
  'locks/locks.ts': {
    refused: [
      '../storage/storage.ts',
      '../storage/sqlite/open.ts',
      '../http/mount.ts',
      '../sync/room.ts',
      '../app.ts',
      'fastify',
      'yjs',
    ],
    allowed: ['../storage/view.ts', '../documents/replicas.ts', '../model/events.ts', '../model/lock.ts'],
  },
  'notifications/feed.ts': {
    refused: ['ws', '../http/mount.ts', '../conflicts/resolve.ts'],
    allowed: ['../storage/view.ts', '../model/event.ts'],
  },
  'notifications/hub.ts': {
    refused: ['yjs', '../http/upgrade.ts', '../app.ts'],
    allowed: ['ws', './feed.ts'],
  },
  'access/verifier.ts': {
    refused: ['fastify', '../http/mount.ts', 'ws'],
    allowed: ['jose', '../storage/view.ts', './tokens.ts'],
  },
  'api/tokens.ts': {
    refused: ['../storage/sqlite/open.ts', 'jose'],
    allowed: ['../http/mount.ts', '../access/tokens.ts'],
  },
  'http/x.ts': {
    refused: [
      '../model/document.ts',
      '../documents/write.ts',
      '../access/verifier.ts',
      '../storage/storage.ts',
      '../app.ts',
      'yjs',
      'ws',
      'jose',
    ],
    allowed: ['fastify', '../access/access.ts', '../content/content.ts'],
  },
  'storage/storage.ts': {
    refused: ['better-sqlite3', '../documents/write.ts', './sqlite/open.ts', '../http/mount.ts'],
    allowed: ['../model/document.ts', '../model/conflict.ts'],
  },
  'storage/sqlite/open.ts': {
    refused: ['../../documents/write.ts', '../../http/mount.ts', 'yjs'],
    allowed: ['better-sqlite3', '../storage.ts', '../../model/conflict.ts'],
  },
  'sync/room.ts': {
    refused: ['ws', 'fastify', '../http/upgrade.ts', '../conflicts/resolve.ts', '../app.ts'],
    allowed: ['yjs', '../documents/replica.ts'],
  },
  'sync/sessionTable.ts': {
    refused: ['yjs', './room.ts', './member.ts', './yProtocol.ts', './messages.ts', '../sockets/peer.ts'],
    allowed: ['./session.ts', './shown.ts', '../model/clockSet.ts', '../documents/joinUpdates.ts'],
  },
  'api/yWebsocket.ts': {
    refused: ['yjs', '../documents/replicas.ts', '../storage/sqlite/open.ts'],
    allowed: ['ws', '../http/upgrade.ts', '../sync/rooms.ts'],
  },
  'operations/x.ts': {
    refused: ['../http/mount.ts', '../locks/locks.ts', 'yjs', '../app.ts'],
    allowed: ['../foundation/environment.ts'],
  },
  'config.ts': { refused: ['./app.ts', './documents/write.ts'], allowed: ['./http/logLevel.ts'] },
  'main.ts': { refused: ['./storage/sqlite/open.ts', './documents/write.ts'], allowed: ['./app.ts', './config.ts'] },
  'modules/x.ts': {
    refused: ['../app.ts', '../storage/sqlite/open.ts', 'better-sqlite3', 'ws', 'yjs'],
    allowed: ['../config.ts', '../api/documents.ts', '../documents/replicas.ts', 'fastify'],
  },
  'app.ts': {
    refused: ['better-sqlite3', 'ws', 'yjs', 'fastify'],
    allowed: ['./storage/sqlite/open.ts', './modules/http.ts'],
  },
  'cellar/x.ts': { refused: ['../foundation/ids.ts'], allowed: [] },
}

describe('the layers of server/', () => {
  it('are kept by every import', async () => {
    const files = await serverFiles()
    const imports = await Promise.all(
      files.map(async (file) =>
        importsOf(await readFile(join(server, file), 'utf8')).map((name) => ({
          file,
          name,
          breach: breachOf(file, name),
        })),
      ),
    )
    expect(files.length).toBeGreaterThan(200)
    expect(imports.flat().length).toBeGreaterThan(1_000)
    expect(imports.flat().filter(({ breach }) => breach !== null)).toEqual([])
  })

  it.each(Object.entries(PLANTED))('refuse what is planted in %s', (file, { refused, allowed }) => {
    const text = [...refused, ...allowed].map((name, index) => `export type { T${index} } from '${name}'`).join('\n')
    expect(importsOf(text).filter((name) => breachOf(file, name) !== null)).toEqual(refused)
  })

  it('see every way to import', () => {
    const text = "import './a.ts'\nimport { b } from './b.ts'\nexport * from './c.ts'\nconst d = await import('./d.ts')"
    expect(importsOf(text)).toEqual(['./a.ts', './b.ts', './c.ts', './d.ts'])
  })
})

describe('the structure', () => {
  const serverTexts = async (): Promise<(readonly [file: string, text: string])[]> =>
    Promise.all((await serverFiles()).map(async (file) => [file, await readFile(join(server, file), 'utf8')] as const))

  it('has one caller of storage.commit', async () => {
    const callers = (await serverTexts()).filter(([, text]) =>
      /storage\.commit\(/.test(text.replaceAll(/^\s*(\*|\/\/).*$/gm, '')),
    )
    expect(callers.map(([file]) => file)).toEqual(['documents/commit.ts'])
  })

  it('declares every type by a name of its own', async () => {
    const places = new Map<string, string[]>()
    for (const [file, text] of await serverTexts()) {
      for (const [, name] of text.matchAll(/^(?:export )?(?:abstract )?(?:interface|type|class) (\w+)/gm)) {
        if (name) places.set(name, [...(places.get(name) ?? []), file])
      }
    }
    expect(places.size).toBeGreaterThan(500)
    expect([...places].filter(([, files]) => new Set(files).size > 1)).toEqual([])
  })
})
