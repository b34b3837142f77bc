/**
 * In place of what y-codemirror draws of others' selections: here `remoteCursors` draws them, and `yCollab` is given nobody to
 * draw, so that these are never used.
 */
export const yRemoteSelections = []
export const yRemoteSelectionsTheme = []
