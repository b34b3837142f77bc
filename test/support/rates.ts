/** The limits are at work, and no test meets them that does not ask for it. */
export const RATES_NEVER_MET = {
  ...Object.fromEntries(
    ['READ', 'WRITE', 'RESOLVE', 'CONNECT', 'TOKEN', 'LIVE_MESSAGES', 'LIVE_BYTES'].map((name) => [
      `PARLEY_RATE_${name}`,
      '1000000000',
    ]),
  ),
  PARLEY_MAX_CONNECTIONS: '1000000000',
}
