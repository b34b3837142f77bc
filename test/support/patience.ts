/**
 * How long tests wait for what must come: as long as the slowest machine may take for it, and less than anything takes that
 * would bring it about by itself: stock clients forget who was silent for 30 s, locks of tests end after 60. How soon it
 * comes proves nothing else, so that no test has a patience of its own, but where something comes by itself sooner.
 */
export const PATIENCE_MS = 30_000
