import { ensureSyntaxTree } from '@codemirror/language'
import type { EditorState } from '@codemirror/state'
import { parsePointer } from '../../../server/content/pointer.ts'

type SyntaxNode = NonNullable<ReturnType<typeof ensureSyntaxTree>>['topNode']

/** Where something stands in a text, as offsets. */
export interface Spot {
  readonly from: number
  readonly to: number
}

/** Reading a text of the largest size takes less; a slower machine gets the marks with the next change. */
const PARSING_MS = 200
const VALUES = new Set(['Object', 'Array', 'String', 'Number', 'True', 'False', 'Null'])

/** Where a JSON pointer leads in a JSON text; where that is not there, to what is nearest above it. */
export function spotOf(state: EditorState, pointer: string): Spot | null {
  const tree = ensureSyntaxTree(state, state.doc.length, PARSING_MS)
  let value = tree === null ? null : valueIn(tree.topNode)
  if (value === null) return null
  let spot = headOf(value)
  for (const token of parsePointer(pointer) ?? []) {
    const member: SyntaxNode | null = memberOf(state, value, token)
    value = member === null ? null : member.name === 'Property' ? valueIn(member) : member
    if (member === null || value === null) return spot
    spot = member.name === 'Property' && isLong(value) ? nameOf(member) : isLong(value) ? headOf(value) : member
  }
  return { from: spot.from, to: spot.to }
}

const valueIn = (node: SyntaxNode): SyntaxNode | null =>
  childrenOf(node).findLast(({ name }) => VALUES.has(name)) ?? null

/** Of what holds other values only its beginning is marked. */
const isLong = ({ name }: SyntaxNode): boolean => name === 'Object' || name === 'Array'
const headOf = ({ from, to }: SyntaxNode): Spot => ({ from, to: Math.min(from + 1, to) })
const nameOf = (property: SyntaxNode): Spot => property.getChild('PropertyName') ?? property

function memberOf(state: EditorState, value: SyntaxNode, token: string): SyntaxNode | null {
  if (value.name === 'Array') {
    return childrenOf(value).filter(({ name }) => VALUES.has(name))[Number(token)] ?? null
  }
  return (
    childrenOf(value).find((child) => {
      const name = child.name === 'Property' ? child.getChild('PropertyName') : null
      return name !== null && unquoted(state.sliceDoc(name.from, name.to)) === token
    }) ?? null
  )
}

function childrenOf(node: SyntaxNode): SyntaxNode[] {
  const children: SyntaxNode[] = []
  for (let child = node.firstChild; child !== null; child = child.nextSibling) children.push(child)
  return children
}

function unquoted(text: string): string {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'string' ? value : text
  } catch {
    return text
  }
}
