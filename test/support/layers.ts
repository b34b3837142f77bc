import { posix } from 'node:path'

/**
 * The floors of `server/`, from the ground up. A file imports from its own folder and from folders of lower floors, never
 * from another folder of its own floor. `.` are the files at the top: main.ts and app.ts.
 */
export const FLOORS: readonly (readonly string[])[] = [
  ['foundation'],
  ['content'],
  ['model'],
  ['storage'],
  ['access', 'limits', 'threads'],
  ['documents', 'http', 'sockets'],
  ['conflicts', 'history', 'locks', 'notifications', 'operations', 'sync', 'transactions'],
  ['api'],
  ['config'],
  ['modules'],
  ['.'],
]

/** What a place must not import although it stands lower, with the reason. */
const NEVER: readonly { readonly from: RegExp; readonly to: RegExp; readonly why: string }[] = [
  {
    from: /^http\//,
    to: /^(model|storage|access\/(?!access\.ts|bearer\.ts)|content\/(?!content\.ts))/,
    why: 'http/ says how HTTP is spoken here and knows no feature',
  },
  {
    from: /^(conflicts|history|locks|notifications|operations|sync|transactions)\//,
    to: /^http\//,
    why: 'features do not know how they are asked: what requests and answers look like stands in api/',
  },
  {
    from: /^(?!storage\/|app\.ts|modules\/questionThread\.ts)/,
    to: /^storage\/sqlite/,
    why: 'storage is known by its port',
  },
  {
    from: /^(?!storage\/|modules\/|app\.ts)/,
    to: /^storage\/storage\.ts/,
    why: 'whoever uses storage names the parts of the port that it needs',
  },
  { from: /^storage\/[^/]+$/, to: /^storage\/sqlite/, why: 'the port knows none of its adapters' },
  { from: /^api\//, to: /^(documents|sync)\/replica/, why: 'routes ask features; they never hold a replica' },
  {
    from: /^sync\/(session\w*|shown|seenVersions)\.ts$/,
    to: /^(storage\/|sockets\/|access\/|sync\/(?!session|shown|seenVersions|brought|departures|limits))/,
    why: 'what a session does is decided by its states and events alone, whatever protocol, room or clock is around it',
  },
  {
    from: /^(config|main)\.ts$/,
    to: /^(?!app|config|foundation\/|access\/|http\/(logLevel|logOutput|origins|version)|limits\/|operations\/)/,
    why: 'only app.ts knows every part',
  },
  { from: /^config\.ts$/, to: /^app\.ts$/, why: 'the configuration is read before anything is built' },
]

const FILES_AND_LINES = ['fs', 'fs/promises', 'net', 'http', 'https', 'worker_threads', 'child_process']

/** Who may use what reaches outside the process or belongs to one edge only; any other package is free to use. */
const PACKAGES: readonly { readonly names: RegExp; readonly users: RegExp }[] = [
  { names: /^yjs$/, users: /^(content\/|documents\/|sync\/(?!session|shown|seenVersions))/ },
  { names: /^better-sqlite3$/, users: /^storage\/sqlite/ },
  { names: /^jose$/, users: /^access\// },
  { names: /^(fastify|@fastify\/.*)$/, users: /^(api|http|modules)\// },
  {
    names: /^ws$/,
    users: /^(http\/upgrade|api\/(notificationSocket|yWebsocket)|notifications\/hub|sync\/ySocket|sockets\/peer)/,
  },
  {
    names: new RegExp(`^node:(${FILES_AND_LINES.join('|')})$`),
    users:
      /^((storage|threads|access|http|api|modules)\/|notifications\/(hub|webhooks)|operations\/start|sockets\/peer|(app|main|config)\.ts$)/,
  },
]

/** Rules without state: they import `foundation/`, `content/`, `model/` and one another. */
const PURE: readonly RegExp[] = [
  /^(foundation|content|model)\//,
  /^documents\/(conflictIds|etag|judge|knownLock|staleWrite|superseded)\.ts$/,
  /^conflicts\/(concurrentEdit|granularity|resolvedContent|shownContents)\.ts$/,
  /^limits\/(addresses|bucket|budget|rates)\.ts$/,
  /^history\/(blame|diff|plan\w+)\.ts$/,
  /^locks\/line\.ts$/,
  /^notifications\/(changes|envelope|inbox|request|subscriberIndex|subscription)\.ts$/,
  /^transactions\/(gravest|transaction)\.ts$/,
]

/** `config.ts` stands below what it configures. */
const folderOf = (file: string): string =>
  file.includes('/') ? file.slice(0, file.indexOf('/')) : file === 'config.ts' ? 'config' : '.'
const floorOf = (file: string): number => FLOORS.findIndex((floor) => floor.includes(folderOf(file)))
const isPure = (file: string): boolean => PURE.some((pure) => pure.test(file))

/** What a file names in `import`, `export … from` and `import()`. */
export function importsOf(text: string): string[] {
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)].flatMap(([, name]) => (name ? [name] : []))
}

/** Why a file must not import something; null where it may. `file` is a path inside `server/`, `name` as it is written there. */
export function breachOf(file: string, name: string): string | null {
  if (!name.startsWith('.')) return packageBreach(file, name)
  const target = posix.normalize(posix.join(posix.dirname(file), name))
  if (floorOf(file) < 0) return `${folderOf(file)}/ stands on no floor`
  const never = NEVER.find(({ from, to }) => from.test(file) && to.test(target))
  if (never) return never.why
  if (isPure(file) && !isPure(target)) return 'pure rules import no state'
  if (folderOf(file) === folderOf(target)) return null
  if (floorOf(target) >= 0 && floorOf(target) < floorOf(file)) return null
  return `${folderOf(target)}/ does not stand below ${folderOf(file)}/`
}

function packageBreach(file: string, name: string): string | null {
  const rule = PACKAGES.find(({ names }) => names.test(name))
  return rule === undefined || rule.users.test(file) ? null : `${name} is not for ${folderOf(file)}/`
}
