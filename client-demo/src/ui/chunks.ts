import { lazy } from './lazy.tsx'

/** What the list of documents does without, and what a text without conflicts does without. */
export const documentScreen = lazy(async () => (await import('./documentScreen.tsx')).DocumentScreen)
export const conflictView = lazy(async () => (await import('./conflictView.tsx')).ConflictView)
export const jsonEditor = lazy(async () => (await import('./jsonEditor.tsx')).JsonEditor)
export const historyDrawer = lazy(async () => (await import('./historyDrawer.tsx')).HistoryDrawer)
export const outsideDrawer = lazy(async () => (await import('./outsideDrawer.tsx')).OutsideDrawer)
