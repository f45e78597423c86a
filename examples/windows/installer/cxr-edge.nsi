; The installer of cxr-edge for one Windows user, built by build_installer.py: no administrator, no
; registry but its own entry among the installed programs, and nothing outside its own folder and the
; start menu. What the program wrote (lists, day.sqlite, site files) is never touched.
Target amd64-unicode
!include MUI2.nsh
Name "cxr-edge ${VERSION}"
OutFile "${OUT}"
InstallDir "$LOCALAPPDATA\cxr-edge"
RequestExecutionLevel user
SetCompressor /SOLID lzma
ShowInstDetails nevershow

!define KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\cxr-edge"
!define MUI_ICON "${ICON}"
!define MUI_UNICON "${ICON}"
!define MUI_FINISHPAGE_NOAUTOCLOSE
!insertmacro MUI_PAGE_LICENSE "${LICENSE}"
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"
!insertmacro MUI_LANGUAGE "Korean"

LangString DESK ${LANG_ENGLISH} "Chest film desk"
LangString DESK ${LANG_KOREAN} "흉부 영상 작업대"
LangString RESEARCH ${LANG_ENGLISH} "Research use only. Not a medical device, not a diagnosis."
LangString RESEARCH ${LANG_KOREAN} "연구용입니다. 의료기기가 아니며 진단이 아닙니다."

Section
  ; A version before must not leave modules among the new ones.
  RMDir /r "$INSTDIR\python"
  SetOutPath "$INSTDIR"
  File /r "${STAGE}\*"
  File "/oname=cxr-edge.ico" "${ICON}"
  CreateDirectory "$SMPROGRAMS\cxr-edge"
  CreateShortcut "$SMPROGRAMS\cxr-edge\$(DESK).lnk" "$INSTDIR\cxr-desk.cmd" "" \
    "$INSTDIR\cxr-edge.ico" 0 SW_SHOWMINIMIZED "" "$(RESEARCH)"
  WriteUninstaller "$INSTDIR\uninstall.exe"
  WriteRegStr HKCU "${KEY}" "DisplayName" "cxr-edge ${VERSION}"
  WriteRegStr HKCU "${KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${KEY}" "DisplayIcon" "$INSTDIR\cxr-edge.ico"
  WriteRegStr HKCU "${KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegDWORD HKCU "${KEY}" "NoModify" 1
  WriteRegDWORD HKCU "${KEY}" "NoRepair" 1
SectionEnd

Section Uninstall
  ; By name, and the folder itself only if it is empty then: somebody may keep lists in it.
  RMDir /r "$INSTDIR\python"
  Delete "$INSTDIR\cxr-desk.cmd"
  Delete "$INSTDIR\cxr-infer.cmd"
  Delete "$INSTDIR\cxr-calibrate.cmd"
  Delete "$INSTDIR\LICENSE.txt"
  Delete "$INSTDIR\cxr-edge.ico"
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  RMDir /r "$SMPROGRAMS\cxr-edge"
  DeleteRegKey HKCU "${KEY}"
SectionEnd
