# Registers a task that publishes every night at 04:30, as an account that may create symbolic links.
$arguments = 'publish C:\Access\exports -c C:\Access\regrant.toml --site C:\Access\site --keep 30d,12m --fail-on new:high --time-limit 2h -q'
$action = New-ScheduledTaskAction -Execute 'C:\Program Files\Regrant\regrant.exe' -Argument $arguments -WorkingDirectory 'C:\Access'
$trigger = New-ScheduledTaskTrigger -Daily -At 04:30
$settings = New-ScheduledTaskSettingsSet -MultipleInstances IgnoreNew -ExecutionTimeLimit (New-TimeSpan -Hours 3) -StartWhenAvailable
Register-ScheduledTask -TaskName 'Regrant' -Action $action -Trigger $trigger -Settings $settings -User 'CORP\svc-regrant$' -RunLevel Limited
