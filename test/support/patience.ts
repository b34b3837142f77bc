/**
 * How long tests wait for what must come: as long as the slowest machine may take for it. How soon it comes proves
 * nothing, so that no test has a patience of its own.
 */
export const PATIENCE_MS = 60_000
