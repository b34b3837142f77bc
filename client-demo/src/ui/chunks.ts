import { lazy } from './lazy.tsx'

/** What the list of documents does without, what a text without conflicts does without, and what a guest does without. */
export const signIn = lazy(async () => (await import('./signIn.tsx')).SignIn)
export const documentScreen = lazy(async () => (await import('./documentScreen.tsx')).DocumentScreen)
export const conflictView = lazy(async () => (await import('./conflictView.tsx')).ConflictView)
export const jsonEditor = lazy(async () => (await import('./jsonEditor.tsx')).JsonEditor)
export const historyDrawer = lazy(async () => (await import('./historyDrawer.tsx')).HistoryDrawer)
export const outsideDrawer = lazy(async () => (await import('./outsideDrawer.tsx')).OutsideDrawer)
