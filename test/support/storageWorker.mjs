// Starts the writer's thread from the source, which a plain worker cannot load.
import { register } from 'tsx/esm/api'

register()
await import('../../server/storage/sqlite/worker.ts')
