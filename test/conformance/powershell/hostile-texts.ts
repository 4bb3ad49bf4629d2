const SHELLS = [
  '$(Get-Process)',
  '$env:PATH',
  '`$(exit)',
  '"; Remove-Item -Recurse / #',
  "'; Remove-Item -Recurse / #",
  '‘; exit; ’',
  '‚; exit; ‛',
  '“; exit; ”',
  '&{ exit }',
  '@{Add="x"}',
  '@(1,2)',
  '-Identity',
  '--%',
  '| Stop-Process',
  '\\u0000',
  '%0a%0d',
  '{0}',
  '[System.Environment]::Exit(1)',
  '<#',
  '#>',
]
const MARKUP = [
  '<&>',
  ']]>',
  '<!--',
  '<Obj RefId="0"><S>x</S></Obj>',
  '&amp;',
  '&#0;',
  '_x0041_',
  '_x005F_x0041_',
  '_xD800_',
  '_x000A_',
]
const CHARACTERS = [
  '\u0000',
  '\u0001',
  '\t',
  '\r\n',
  '\u001b[2J',
  '\u0085',
  '\u2028',
  '\ufeff',
  '\ufffe',
  '\ud83d',
  '👩‍👩‍👧',
  'İı',
  'ß',
  'e\u0301',
  '٣',
]
const BASES = [...SHELLS, ...MARKUP, ...CHARACTERS]

/** 200 texts that a phone could give as its id or name, each once even when case does not count. None ends in white space, which Exchange trims. */
export const HOSTILE_TEXTS: readonly string[] = Array.from({ length: 200 }, (_, n) => {
  const [one, other] = [BASES[n % BASES.length] ?? '', BASES[(n * 7 + 3) % BASES.length] ?? '']
  return `${n}${one}${n < BASES.length ? '' : other}.`
})
