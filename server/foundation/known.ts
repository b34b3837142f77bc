/** Goes on at once with what is known already, and later with what has to be waited for. */
export function whenKnown<Found, Next>(
  found: Found | Promise<Found>,
  then: (found: Found) => Next,
): Next | Promise<Next> {
  return found instanceof Promise ? found.then(then) : then(found)
}
