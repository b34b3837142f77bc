import { parseAccess, type Principal } from '../access/access.ts'
import { invariant } from '../foundation/assert.ts'
import type { WebhookOwner } from '../model/webhook.ts'

/** A principal in a form that can be kept: its grants as the `access` claim of a token. */
export function ownerOf({ grants, ...principal }: Principal): WebhookOwner {
  const access: Record<string, string[]> = {}
  for (const { pattern, permissions } of grants) {
    const text = 'exact' in pattern ? pattern.exact : `${pattern.prefix}*`
    access[text] = [...(access[text] ?? []), ...permissions]
  }
  return { ...principal, access }
}

/** What `ownerOf` was made of. */
export function principalOf({ access, ...owner }: WebhookOwner): Principal {
  const grants = parseAccess(access)
  invariant(grants !== null, 'the rights of an owner are those of a principal')
  return { ...owner, grants }
}
