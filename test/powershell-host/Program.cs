// The console host of PowerShell itself: what `pwsh` does with a command line, this does.
return Microsoft.PowerShell.ConsoleShell.Start("", "", args);
