import { h, type ComponentType, type JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'

interface Lazy<Props> {
  readonly Component: (props: Props) => JSX.Element
  /** Fetches it before it is needed. */
  readonly prefetch: () => void
}

/** A component in a chunk of its own, which is fetched when it is first shown, or before. */
export function lazy<Props extends object>(load: () => Promise<ComponentType<Props>>): Lazy<Props> {
  let loaded: ComponentType<Props> | null = null
  let loading: Promise<void> | null = null

  /** Once: a module that could not be fetched stays so for as long as the page lives. */
  function fetchChunk(): Promise<void> {
    loading ??= load().then((component) => {
      loaded = component
    })
    return loading
  }

  function Component(props: Props): JSX.Element {
    const [phase, setPhase] = useState<'loading' | 'failed' | 'there'>(loaded === null ? 'loading' : 'there')
    useEffect(() => {
      if (phase !== 'loading') return
      let isGone = false
      const show = (next: 'there' | 'failed') => (): void => {
        if (!isGone) setPhase(next)
      }
      fetchChunk().then(show('there'), show('failed'))
      return () => {
        isGone = true
      }
    }, [phase])
    if (loaded !== null) return h(loaded, props)
    return phase === 'failed' ? <Failed /> : <div class="work-note" aria-busy="true" />
  }

  return { Component, prefetch: () => void fetchChunk().catch(() => {}) }
}

function Failed(): JSX.Element {
  return (
    <div class="work-note" role="alert">
      <p>This part of the page could not be loaded. Once the server can be reached, load the page anew.</p>
      <p>
        <button class="button" onClick={() => location.reload()}>
          Load the page anew
        </button>
      </p>
    </div>
  )
}
