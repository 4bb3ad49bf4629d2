import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { parentPort, workerData } from 'node:worker_threads'
import { FuzzRandom } from './fuzz-random.ts'
import { decodeEveryWay, receiveByBoth } from './fuzz-targets.ts'
import { generateClixml } from './generate-clixml.ts'
import { mutateClixml } from './mutate-clixml.ts'

/** What the worker is started with: `current` holds the input that is being decoded, its length in the first four bytes. */
export type FuzzOrder = { readonly seconds: number; readonly seed: number; readonly current: SharedArrayBuffer }
export type FuzzFind = { readonly kind: 'error' | 'slow' | 'memory'; readonly what: string; readonly input: string }
export type FuzzReport = {
  readonly executions: number
  readonly kept: number
  readonly decoded: number
  readonly refused: number
  readonly slowestMsPer100Kb: number
  readonly memoryMb: { readonly start: number; readonly end: number }
  readonly finds: readonly FuzzFind[]
}

/** Inputs that are mutated on; beyond that, a new one takes the place of any other. */
const CORPUS_MAX = 3_000
const CORPUS_CHARACTERS_MAX = 8_000
const SIGNALS_MAX = 50_000
const FINDS_MAX = 20
const SLOW_MS_PER_100_KB = 250
const GROWTH_MB_MAX = 64
const BYTES_MB = 1024 * 1024
/** The clock is looked at once in so many executions. */
const EXECUTIONS_PER_LOOK = 64

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

class Fuzzer {
  private readonly random: FuzzRandom
  private readonly view: Uint8Array
  private readonly header: DataView
  private readonly encoder = new TextEncoder()
  private readonly corpus: string[] = []
  private readonly signals = new Set<string>()
  private readonly finds: FuzzFind[] = []
  private readonly seen = new Set<string>()
  private executions = 0
  private decoded = 0
  private kept = 0
  private slowest = 0

  constructor(order: FuzzOrder) {
    this.random = new FuzzRandom(order.seed)
    this.view = new Uint8Array(order.current)
    this.header = new DataView(order.current)
  }

  run(seconds: number): FuzzReport {
    for (let n = 0; n < 50; n++) this.corpus.push(generateClixml(this.random))
    const until = performance.now() + seconds * 1_000
    // Code, caches and the corpus are there after a quarter of the time: what grows afterwards is kept by mistake.
    this.runUntil(performance.now() + seconds * 250)
    const start = this.memoryMb()
    this.runUntil(until)
    const end = this.memoryMb()
    if (end - start > GROWTH_MB_MAX) this.note('memory', `grew by ${(end - start).toFixed(0)} MB`, '')
    const { executions, decoded, kept, finds } = this
    const refused = executions - decoded
    return {
      executions,
      kept,
      decoded,
      refused,
      slowestMsPer100Kb: this.slowest,
      memoryMb: { start, end },
      finds,
    }
  }

  private runUntil(time: number): void {
    while (performance.now() < time) for (let n = 0; n < EXECUTIONS_PER_LOOK; n++) this.execute(this.nextInput())
  }

  private nextInput(): string {
    const { random } = this
    if (random.oneIn(20)) return generateClixml(random)
    return mutateClixml(random.pick(this.corpus), random, random.pick(this.corpus))
  }

  private execute(input: string): void {
    this.executions++
    const { written } = this.encoder.encodeInto(input, this.view.subarray(4))
    this.header.setUint32(0, written)
    const startedAt = performance.now()
    let signal: string
    try {
      signal = this.random.oneIn(5) ? receiveByBoth(input, this.random) : decodeEveryWay(input)
    } catch (error) {
      this.note('error', error instanceof Error ? (error.stack ?? error.message) : String(error), input)
      return
    }
    this.watchTime(input, performance.now() - startedAt)
    if (!/^(xml|clixml|psrp)-/.test(signal)) this.decoded++
    if (this.signals.has(signal) || input.length > CORPUS_CHARACTERS_MAX) return
    if (this.signals.size >= SIGNALS_MAX) this.signals.clear()
    this.signals.add(signal)
    this.kept++
    if (this.corpus.length < CORPUS_MAX) this.corpus.push(input)
    else this.corpus[this.random.below(CORPUS_MAX)] = input
  }

  private watchTime(input: string, ms: number): void {
    const per100Kb = ms / Math.max(1, input.length / 100_000)
    if (per100Kb < this.slowest) return
    // Slow by itself, not by a pause of the machine: three times in a row.
    const times = [1, 2, 3].map(() => {
      const startedAt = performance.now()
      decodeEveryWay(input)
      return performance.now() - startedAt
    })
    const least = Math.min(ms, ...times) / Math.max(1, input.length / 100_000)
    this.slowest = Math.max(this.slowest, least)
    if (least > SLOW_MS_PER_100_KB) this.note('slow', `${least.toFixed(0)} ms per 100 KB`, input)
  }

  private note(kind: FuzzFind['kind'], what: string, input: string): void {
    const key = kind + what.slice(0, 300)
    if (this.seen.has(key) || this.finds.length >= FINDS_MAX) return
    this.seen.add(key)
    this.finds.push({ kind, what, input: input.slice(0, 20_000) })
  }

  /** Without what the fuzzer itself keeps. */
  private memoryMb(): number {
    collectGarbage()
    let own = 0
    for (const text of this.corpus) own += text.length
    for (const text of this.signals) own += text.length
    return (process.memoryUsage().heapUsed - own) / BYTES_MB
  }
}

const order = workerData as FuzzOrder
parentPort?.postMessage(new Fuzzer(order).run(order.seconds))
