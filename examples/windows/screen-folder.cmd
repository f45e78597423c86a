@echo off
rem Drag a folder of X-ray films onto this file: the list is written beside that folder, as
rem cxr-NAME, and its page opens. A site.json beside this file (from cxr-calibrate) is applied.
rem Plain ASCII with CRLF line ends; no bracketed blocks, because a folder name may hold brackets.
setlocal EnableExtensions DisableDelayedExpansion
chcp 65001 >nul
set "PYTHONUTF8=1"

rem The whole command line, not %1: Explorer quotes names with spaces, but not those with commas.
set films=%*
if not defined films goto usage
set "films=%films:"=%"
if "%films:~-1%."=="\." set "films=%films:~0,-1%"
if "%films:~1%"==":" goto drive
if not exist "%films%" goto missing
for %%F in ("%films%") do set "parent=%%~dpF"
for %%F in ("%films%") do set "name=%%~nxF"
set "lists=%parent%cxr-%name%"

set "program=%LOCALAPPDATA%\cxr-edge\Scripts\cxr-infer.exe"
if not exist "%program%" set "program=cxr-infer"
set "site=%~dp0site.json"
if exist "%site%" goto with_site
"%program%" "%films%" --out "%lists%"
goto screened
:with_site
"%program%" "%films%" --out "%lists%" --site "%site%"

:screened
set "code=%ERRORLEVEL%"
if "%code%"=="9009" goto not_installed
rem 0: all screened; 4: some films were not, the page says which and why.
if "%code%"=="0" goto open
if "%code%"=="4" goto open
echo.
echo Stopped with code %code%: the lines above say why.
goto end

:open
start "" "%lists%\report.html"
goto end

:usage
echo Drag a folder of X-ray films onto this file.
set "code=2"
goto end

:drive
echo Drag a folder, not a whole drive: the list is written beside what you drag.
set "code=2"
goto end

:missing
echo "%films%" cannot be found. Drag one folder at a time.
set "code=2"
goto end

:not_installed
echo cxr-edge is not installed for this user: see docs\windows.md.

:end
echo.
pause
exit /b %code%
