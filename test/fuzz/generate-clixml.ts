import type { FuzzRandom } from './fuzz-random.ts'

const SCALARS = 'S C B DT TS By SB I16 U16 I32 U32 I64 U64 Sg Db D BA G URI Version XD SBK SS Nil'.split(' ')
const CONTAINERS = ['LST', 'IE', 'QUE', 'STK', 'DCT', 'Props', 'MS', 'En', 'TN', 'PR'] as const
const TAGS = [...SCALARS, ...CONTAINERS, 'Obj', 'Ref', 'TNRef', 'ToString', 'T', 'Objs', 'AV', 'PI', 'x']
const NAMES = [
  'a',
  'Key',
  'Value',
  'N',
  'V',
  '',
  '__proto__',
  'constructor',
  'Password',
  '_x0041_',
  'PSStandardMembers',
  'Identity',
]

/** Texts that are right for some element and wrong for others. */
const TEXTS = [
  '',
  '0',
  '-0',
  '1',
  '-1',
  '255',
  '65536',
  '2147483648',
  '-9223372036854775809',
  '18446744073709551615',
  '99999999999999999999999',
  '1e400',
  'NaN',
  'INF',
  '-INF',
  '1.5E-300',
  'true',
  'false',
  'True',
  '2024-02-29T00:00:00.1234567Z',
  '2023-02-29T00:00:00',
  '0001-01-01T00:00:00+14:00',
  '9999-12-31T23:59:59.9999999-14:00',
  'P1DT2H3M4.005S',
  '-P10675199DT2H48M5.4775808S',
  '00000000-0000-0000-0000-000000000000',
  'AQID',
  '%%%=',
  '_x0041_',
  '_xD800_',
  '_x005F_x0041_',
  '_X0001F600_',
  '_x0110FFFF_',
  '&amp;',
  '&#0;',
  '&#xD800;',
  '&#x10FFFF;',
  '&bomb;',
  '&',
  ']]>',
  '<![CDATA[<S>]]>',
  '<!-- -->',
  '<!DOCTYPE a [<!ENTITY b "c">]>',
  '<?xml version="1.0"?>',
  '\u0000',
  '\ufeff',
  '\ufffe',
  '😀',
  '\ud800',
  ' \t\r\n',
] as const

export { CONTAINERS as CLIXML_CONTAINERS, TAGS as CLIXML_TAGS, TEXTS as CLIXML_TEXTS }

const PLAIN: Readonly<Record<string, readonly string[]>> = {
  S: ['', 'text', '_x000A_', 'a &amp; b', '😀'],
  C: ['65', '55296'],
  B: ['true', 'false'],
  DT: ['2024-02-03T04:05:06.7891234Z', '2024-02-03T04:05:06+02:00', '0001-01-01T00:00:00'],
  TS: ['PT0S', '-P1DT2H'],
  By: ['0', '255'],
  SB: ['-128', '127'],
  I16: ['-32768'],
  U16: ['65535'],
  I32: ['0', '-2147483648'],
  U32: ['4294967295'],
  I64: ['9223372036854775807'],
  U64: ['18446744073709551615'],
  Sg: ['1.5', 'INF'],
  Db: ['1E+300', 'NaN', '-0'],
  D: ['79228162514264337593543950335', '1.50'],
  BA: ['', 'AQID'],
  G: ['792e5b37-4505-47ef-b7d2-8711bb7affa8'],
  URI: ['http://a/b'],
  Version: ['1.2.3.4'],
  XD: ['&lt;a/&gt;'],
  SBK: ['1 + 2'],
  SS: ['AAAAAAAAAAAAAAAAAAAAAA=='],
  Nil: [''],
}

/** A well-formed document that PowerShell could have written. */
export function generateClixml(random: FuzzRandom): string {
  const writer = new Writer(random)
  const xml = writer.value('', 0)
  return random.oneIn(4) ? `<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">${xml}</Objs>` : xml
}

class Writer {
  private readonly random: FuzzRandom
  private objects = 0
  private types = 0
  private readonly open: number[] = []

  constructor(random: FuzzRandom) {
    this.random = random
  }

  value(attribute: string, depth: number): string {
    const { random } = this
    if (depth < 6 && random.below(3) > 0) return this.object(attribute, depth)
    if (this.objects > 0 && random.oneIn(8)) return `<Ref${attribute} RefId="${random.below(this.objects)}"/>`
    const tag = random.pick(SCALARS)
    const text = random.pick(PLAIN[tag] ?? [''])
    return text === '' ? `<${tag}${attribute}/>` : `<${tag}${attribute}>${text}</${tag}>`
  }

  private object(attribute: string, depth: number): string {
    const { random } = this
    const id = this.objects++
    this.open.push(id)
    let xml = `<Obj${attribute} RefId="${id}">`
    if (random.oneIn(2)) xml += this.typeNames()
    if (random.oneIn(3)) xml += `<ToString>${random.pick(PLAIN['S'] ?? [''])}</ToString>`
    const shape = random.below(6)
    if (shape === 0) xml += this.value('', depth + 4)
    else if (shape < 3) xml += this.list(random.pick(['LST', 'IE', 'QUE', 'STK']), depth)
    else if (shape === 3) xml += this.dictionary(depth)
    if (random.oneIn(2)) xml += this.members('Props', depth)
    if (random.oneIn(2)) xml += this.members('MS', depth)
    this.open.pop()
    return `${xml}</Obj>`
  }

  private typeNames(): string {
    if (this.types > 0 && this.random.oneIn(2)) return `<TNRef RefId="${this.random.below(this.types)}"/>`
    return `<TN RefId="${this.types++}"><T>System.A</T><T>System.Object</T></TN>`
  }

  private list(tag: string, depth: number): string {
    const items = Array.from({ length: this.random.below(5) }, () => this.value('', depth + 1))
    return `<${tag}>${items.join('')}</${tag}>`
  }

  private dictionary(depth: number): string {
    const entries = Array.from({ length: this.random.below(4) }, () => {
      return `<En>${this.value(' N="Key"', 9)}${this.value(' N="Value"', depth + 1)}</En>`
    })
    return `<DCT>${entries.join('')}</DCT>`
  }

  private members(tag: string, depth: number): string {
    const items = Array.from({ length: this.random.below(5) }, () => {
      return this.value(` N="${this.random.pick(NAMES)}"`, depth + 1)
    })
    return `<${tag}>${items.join('')}</${tag}>`
  }
}
