import { useEffect, useState } from 'preact/hooks'
import { routeOf, type Route } from '../present/route.ts'

/** The screen the address names, kept up as it changes. */
export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash)
  useEffect(() => {
    const follow = (): void => setHash(location.hash)
    addEventListener('hashchange', follow)
    // It may have changed between the drawing and this.
    follow()
    return () => removeEventListener('hashchange', follow)
  }, [])
  return routeOf(hash)
}
