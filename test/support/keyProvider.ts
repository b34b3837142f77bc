import { createServer, type Server } from 'node:http'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose'

/** An identity provider: a key set under a URL, and tokens signed by the newest key. */
export class KeyProvider {
  readonly #keys: { readonly kid: string; readonly alg: string; readonly secret: CryptoKey; readonly jwk: JWK }[] = []
  #server: Server | null = null
  #port = 0
  /** How often the key set was asked for. */
  fetches = 0

  get url(): string {
    return `http://127.0.0.1:${this.#port}/keys.json`
  }

  /** Publishes a new key, which signs from now on; `alone`: the keys before it are taken back. */
  async rotate(alg: string, { alone = false } = {}): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
    const kid = `key-${this.#keys.length + 1}-${alg}`
    if (alone) this.#keys.length = 0
    this.#keys.push({ kid, alg, secret: privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } })
  }

  async listen(): Promise<void> {
    const server = createServer((_request, response) => {
      this.fetches += 1
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ keys: this.#keys.map(({ jwk }) => jwk) }))
    })
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve))
    const address = server.address()
    if (typeof address === 'object' && address !== null) this.#port = address.port
    this.#server = server
  }

  /** Is away from now on; `listen` brings it back under the same URL. */
  async leave(): Promise<void> {
    this.#server?.closeAllConnections()
    await new Promise((resolve) => (this.#server ? this.#server.close(resolve) : resolve(null)))
    this.#server = null
  }

  /** Of the newest key, for an hour. */
  async token(
    sub: string,
    { issuer = 'https://id.test', kid }: { issuer?: string; kid?: string } = {},
  ): Promise<string> {
    const key = this.#keys.at(-1)
    if (key === undefined) throw new Error('there is no key yet')
    return new SignJWT({ access: { '*': ['read', 'write'] } })
      .setProtectedHeader({ alg: key.alg, kid: kid ?? key.kid })
      .setSubject(sub)
      .setIssuer(issuer)
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(key.secret)
  }

  /** The newest public key as JSON, for whoever takes it for a secret. */
  publicText(): string {
    return JSON.stringify(this.#keys.at(-1)?.jwk)
  }
}
