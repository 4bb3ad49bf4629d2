import type { FuzzRandom } from './fuzz-random.ts'
import { CLIXML_CONTAINERS, CLIXML_TAGS, CLIXML_TEXTS } from './generate-clixml.ts'

const INPUT_CHARACTERS_MAX = 100_000
const TOKEN = /<[^<>]*>|[^<>]+/g
const TAG_NAME = /^<\/?([A-Za-z]+)/

type Mutate = (tokens: string[], random: FuzzRandom, other: string) => void

/** Changes of the structure: what each leaves is mostly still XML. */
const STRUCTURE: readonly Mutate[] = [
  // Another element's name.
  (tokens, random) => {
    const at = random.below(tokens.length)
    tokens[at] = (tokens[at] ?? '').replace(TAG_NAME, (all, name: string) => all.replace(name, random.pick(CLIXML_TAGS)))
  },
  // The same in both of its tags.
  (tokens, random) => {
    const at = random.below(tokens.length)
    const name = TAG_NAME.exec(tokens[at] ?? '')?.[1]
    const close = name === undefined ? -1 : tokens.indexOf(`</${name}>`, at)
    if (name === undefined || close < 0) return
    const other = random.pick(CLIXML_TAGS)
    tokens[at] = (tokens[at] ?? '').replace(name, other)
    tokens[close] = `</${other}>`
  },
  // Another text between tags.
  (tokens, random) => {
    const at = random.below(tokens.length)
    if ((tokens[at] ?? '').startsWith('<')) tokens.splice(at + 1, 0, random.pick(CLIXML_TEXTS))
    else tokens[at] = random.pick(CLIXML_TEXTS)
  },
  (tokens, random) => {
    tokens.splice(random.below(tokens.length), 1 + random.below(3))
  },
  // A part again, perhaps many times.
  (tokens, random) => {
    const from = random.below(tokens.length)
    const part = tokens.slice(from, from + 1 + random.below(12))
    const times = random.oneIn(10) ? 500 : 1 + random.below(3)
    const room = Math.max(1, Math.floor(INPUT_CHARACTERS_MAX / Math.max(1, part.join('').length)))
    tokens.splice(from, 0, ...Array.from({ length: Math.min(times, room) }, () => part).flat())
  },
  // Another object id: of an object that is open, finished or not there.
  (tokens, random) => {
    const at = random.below(tokens.length)
    tokens[at] = (tokens[at] ?? '').replace(/RefId="[^"]*"/, `RefId="${random.pick(['0', '1', '2', '99', '-1', '', 'x'])}"`)
  },
  // Attributes that are twice there, have other quotes, or another name.
  (tokens, random) => {
    const at = random.below(tokens.length)
    const attribute = random.pick([' N="Key"', " N='Value'", ' RefId="0"', ' N="&lt;"', ' N="_x0000_"', ' N=x', ' N'])
    tokens[at] = (tokens[at] ?? '').replace(/^<[A-Za-z]+/, (name) => name + attribute)
  },
  // Deep nesting around the whole.
  (tokens, random) => {
    const depth = random.oneIn(4) ? 300 : random.below(60)
    const container = random.pick(CLIXML_CONTAINERS)
    tokens.unshift(`<Obj><${container}>`.repeat(depth))
    tokens.push(`</${container}></Obj>`.repeat(depth))
  },
  // Something of another document.
  (tokens, random, other) => {
    const others = other.match(TOKEN) ?? []
    const from = random.below(Math.max(1, others.length))
    tokens.splice(random.below(tokens.length), 0, ...others.slice(from, from + 1 + random.below(20)))
  },
  // A long text.
  (tokens, random) => {
    tokens.splice(
      random.below(tokens.length),
      0,
      random.pick(['a', '_x0041_', '_x', '&amp;', ' ', '-']).repeat(1 + random.below(10_000)),
    )
  },
]

/** One document made of another, of the same length at most twice over, and never beyond 100,000 characters. */
export function mutateClixml(xml: string, random: FuzzRandom, other: string): string {
  let mutated = xml
  const rounds = 1 + random.below(3)
  for (let round = 0; round < rounds; round++) {
    mutated = random.below(3) > 0 ? mutateStructure(mutated, random, other) : mutateCharacters(mutated, random, other)
  }
  return mutated.slice(0, INPUT_CHARACTERS_MAX)
}

function mutateStructure(xml: string, random: FuzzRandom, other: string): string {
  const tokens: string[] = xml.match(TOKEN) ?? ['']
  random.pick(STRUCTURE)(tokens, random, other)
  return tokens.join('')
}

function mutateCharacters(xml: string, random: FuzzRandom, other: string): string {
  const at = random.below(xml.length + 1)
  const length = random.oneIn(3) ? random.below(xml.length - at + 1) : 1
  switch (random.below(5)) {
    case 0:
      return xml.slice(0, at) + xml.slice(at + length)
    case 1:
      return xml.slice(0, at) + String.fromCharCode(random.below(random.oneIn(4) ? 65_536 : 128)) + xml.slice(at + 1)
    case 2:
      return xml.slice(0, at) + xml.slice(at, at + length) + xml.slice(at)
    case 3:
      return xml.slice(0, at) + other.slice(random.below(other.length + 1))
    default:
      return xml.slice(0, at) + random.pick(['<', '>', '&', '"', '/', ';', '=', ']', '!', '?', '\0']) + xml.slice(at)
  }
}
