import type { JSX } from 'preact'
import type { Remark } from '../state/conflictDesk.ts'

/** What the server's last answer was, said where the person looks. */
export function RemarkBox({ remark }: { remark: Remark }): JSX.Element {
  return (
    <div class={`banner tone-${remark.tone}`} role="alert" data-testid="remark" data-tone={remark.tone}>
      <p>{remark.text}</p>
      {remark.details.length > 0 && (
        <ul>
          {remark.details.map((detail) => (
            <li key={detail}>{detail}</li>
          ))}
        </ul>
      )}
    </div>
  )
}
