import { outsideWrite, type CurlTarget } from '../present/curl.ts'

export interface OutsideAnswer {
  readonly status: number
  readonly text: string
}

const MEANINGS: Readonly<Record<number, string>> = {
  200: 'Written: the version was still current. Change the document first, then send again.',
  409: 'Refused: the document had moved on. A conflict is open now.',
  403: 'Refused: this token may not write here.',
  404: 'Refused: the document is not there, or not readable with this token.',
  423: 'Refused: the document is locked. It can be written once the lock ends.',
  428: 'Refused: no version was named.',
}

/** Sends what the curl command sends, with another principal's token. */
export async function sendFromOutside(target: CurlTarget): Promise<OutsideAnswer> {
  const { method, contentType, body } = outsideWrite(target)
  const response = await fetch(`${target.origin}/documents/${encodeURIComponent(target.id)}/content`, {
    method,
    headers: {
      authorization: `Bearer ${target.token}`,
      'if-match': `"${target.etag}"`,
      'content-type': contentType,
    },
    body,
  })
  return { status: response.status, text: MEANINGS[response.status] ?? response.statusText }
}
