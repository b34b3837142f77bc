/** Tokens and revocations, as the API shows them. */
import { Type } from 'typebox'
import { PersonShape, TimeShape, TokenShape } from './values.ts'

export const TokenAnswerShape = Type.Object({ token: TokenShape, expiresAt: TimeShape }, { title: 'Token' })
export const RevocationShape = Type.Object(
  {
    sub: Type.Optional(PersonShape),
    jti: Type.Optional(Type.String({ maxLength: 256 })),
    revokedUntil: TimeShape,
  },
  { title: 'Revocation' },
)
export const GuestTokenShape = Type.Object(
  { token: TokenShape, sub: PersonShape, name: Type.String({ maxLength: 256 }), expiresAt: TimeShape },
  { title: 'GuestToken' },
)
