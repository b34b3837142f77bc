import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { descriptionRoutes } from '../api/description/endpoints.ts'
import { collectRoutes } from '../api/description/routes.ts'
import { referencePages } from '../api/description/reference.ts'
import { problemPages } from '../api/problemPages.ts'
import type { Http } from './http.ts'
import type { Module } from './module.ts'

/** What the server says of itself. Made before any route is added, for it describes them all. `startsAt`: where a person begins. */
export function descriptionModule({ app, publicUrl }: Http, startsAt: string): Module {
  const routes = collectRoutes(app)
  return {
    name: 'description',
    routes: [
      problemPages(publicUrl),
      descriptionRoutes({ routes, publicUrl, startsAt }),
      referencePages({ publicUrl, folder: referenceFolder() }),
    ],
  }
}

/** Where the build put the files of the page, else the package they come from. */
function referenceFolder(): string {
  const folders = ['../reference', '../../node_modules/swagger-ui-dist'].map((path) => new URL(path, import.meta.url))
  return fileURLToPath(folders.find((folder) => existsSync(folder)) ?? folders[0] ?? import.meta.url)
}
