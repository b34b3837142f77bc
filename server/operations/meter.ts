import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

/** A number with the values of its labels, in the order in which the metric names them. */
export type Reading = readonly [value: number, ...labels: string[]]

/** What is counted between two looks. A count costs a look into a map; strings are made of it when somebody looks. */
export class Tally {
  readonly #counts = new Map<string, { count: number; readonly labels: readonly string[] }>()

  /** Labels must be few: kinds, outcomes, routes; never an id or a name. */
  add(count: number, ...labels: readonly string[]): void {
    const key = labels.length === 1 ? (labels[0] ?? '') : labels.join('\n')
    const known = this.#counts.get(key)
    if (known === undefined) this.#counts.set(key, { count, labels })
    else known.count += count
  }

  readings(): readonly Reading[] {
    return Array.from(this.#counts.values(), ({ count, labels }) => [count, ...labels] as const)
  }
}

interface Described {
  /** With its unit at the end: `_seconds`, `_bytes`, `_total`. */
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
}

/**
 * Where the parts of the server say what of them is measured (SPEC OPS-1). It is read when somebody asks, so what nobody
 * looks at costs next to nothing.
 */
export class Meter {
  readonly #registry = new Registry()

  constructor() {
    collectDefaultMetrics({ register: this.#registry })
  }

  /** Something that only grows: a tally that its owner keeps. */
  counter(described: Described): Tally {
    const tally = new Tally()
    this.#follow(new Counter(this.#configuration(described)), described, () => tally.readings())
    return tally
  }

  /** Something that only grows and is counted already. */
  total(described: Described, read: () => readonly Reading[]): void {
    this.#follow(new Counter(this.#configuration(described)), described, read)
  }

  /** Something that goes up and down. */
  gauge(described: Described, read: () => readonly Reading[] | Promise<readonly Reading[]>): void {
    this.#follow(new Gauge(this.#configuration(described)), described, read)
  }

  /** How values are spread, each counted in the first bucket that holds it. Answers how to tell of one. */
  histogram(described: Described, buckets: readonly number[]): (value: number, ...labels: string[]) => void {
    const metric = new Histogram({ ...this.#configuration(described), buckets: [...buckets] })
    const { labels = [] } = described
    return (value, ...given) => {
      if (labels.length === 0) metric.observe(value)
      else metric.observe(named(labels, given), value)
    }
  }

  /** All metrics in the text format of Prometheus. */
  async text(): Promise<string> {
    return this.#registry.metrics()
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  #configuration({ name, help, labels = [] }: Described) {
    return { name, help, labelNames: [...labels], registers: [this.#registry] }
  }

  #follow(
    metric: Counter | Gauge,
    { labels = [] }: Described,
    read: () => readonly Reading[] | Promise<readonly Reading[]>,
  ): void {
    const collect = async (): Promise<void> => {
      const readings = await read()
      metric.reset()
      for (const [value, ...given] of readings) metric.inc(named(labels, given), value)
    }
    Object.assign(metric, { collect })
  }
}

const named = (labels: readonly string[], values: readonly string[]): Record<string, string> =>
  Object.fromEntries(labels.map((label, index) => [label, values[index] ?? '']))
