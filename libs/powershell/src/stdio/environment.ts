/** What a program usually needs to find itself, its files and its locale, on Unix and on Windows. */
const BASICS = [
  ...['PATH', 'HOME', 'TMPDIR', 'LANG', 'LC_ALL', 'TZ', 'DOTNET_ROOT'],
  ...['SystemRoot', 'SystemDrive', 'windir', 'COMSPEC', 'PATHEXT', 'TEMP', 'TMP', 'USERNAME', 'USERPROFILE', 'APPDATA'],
  ...['LOCALAPPDATA', 'ProgramData', 'ProgramFiles', 'ProgramFiles(x86)', 'CommonProgramFiles', 'NUMBER_OF_PROCESSORS'],
]

/** The part of an environment (`process.env`) that PowerShell needs to start: paths, home, locale, and nothing of ours. */
export function basicEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const basics: Record<string, string> = {}
  for (const name of BASICS) {
    const value = environment[name]
    if (value !== undefined) basics[name] = value
  }
  return basics
}

/** The whole environment of a process: what was asked for, over what keeps PowerShell quiet and able to run `runspaces` at once. */
export function environmentOf(asked: Readonly<Record<string, string>>, runspaces: number): Record<string, string> {
  return {
    // With colours or a terminal PowerShell would write escape sequences.
    NO_COLOR: '1',
    TERM: 'dumb',
    POWERSHELL_TELEMETRY_OPTOUT: '1',
    POWERSHELL_UPDATECHECK: 'Off',
    // Every running pipeline occupies a thread of .NET's thread pool, and so does reading a packet. Beyond one thread per
    // processor the pool adds about one a second, unless its minimum is higher: System.Threading.ThreadPool.MinThreads, as an
    // environment variable (hexadecimal) in clrconfignames.h of the .NET runtime.
    DOTNET_ThreadPool_ForceMinWorkerThreads: (2 * runspaces + 8).toString(16),
    ...asked,
  }
}
