/**
 * What a phone or a directory may hold and what breaks careless code: PowerShell, XML, CLIXML, HTML, CSV, SQL and log
 * syntax, every quotation mark PowerShell knows, right-to-left text, emoji. No lone surrogates: neither side can hold them.
 */
export const hostileTexts: readonly string[] = [
  '$(Remove-Item x)',
  `'; Remove-Mailbox -Identity * -Confirm:$false; '`,
  '`"quoted`" \'single\' ‘left’ ‚low‛ “double” „base” `tick`',
  '<&>]]><b onmouseover="x">bold</b>',
  '&amp;&#x41;&lt;script&gt;',
  '_x0041_ _x000A__x005F_',
  'Zoë’s 📱 👩‍💻 ñandú',
  'هاتف سارة ‏ישראל‎',
  'two\nlines\r\nand a\ttab',
  '=HYPERLINK("http://example.test","click")',
  "Robert'); DROP TABLE device_partnerships;--",
  `{0} %s ${'$'}{jndi:x} {{userName}} [link](javascript:x)`,
  ' leading, trailing + # ; = \\ / ',
  'null',
]

/** Only Exchange can hold a control character here: in JSON from Graph it does not occur. */
export const controlCharacterText = 'ring\u0001bell'

/** A mailbox name is a CN: at most 64 characters and one line. */
export const hostileMailboxNames: readonly string[] = [
  'Dupont, Marie-Hélène',
  '$(Remove-Item x)',
  `O'Brien "Rosie" ‘Kitty’ “Q”`,
  '<&>]]> Schmidt',
  '_x0041_nna _x000D_',
  'Łukasz 📱 Żółw',
  'سارة الحسن',
  'דוד כהן',
  '#Hash + Plus; Semi = Equals',
  'Back\\slash/Forward "CN=Other',
  'Space   Within',
  `{0} %s ${'$'}{name} *`,
]
