# Anmelden, der erste Start, Passwörter und Sitzungen.
sign-in = Anmelden
sign-in-title = Bei Lectern anmelden
sign-in-wrong = Name und Passwort gehören nicht zusammen.
sign-in-too-many = Zu viele Versuche. Warten Sie eine Minute und versuchen Sie es dann erneut.

welcome-title = Willkommen bei Lectern
welcome-intro = Wählen Sie Namen und Passwort für die erste Verwalterin oder den ersten Verwalter: für sich. Dieser Link gilt einmal.
welcome-submit = Beginnen

field-name = Name
field-password = Passwort
field-current-password = Jetziges Passwort
field-new-password = Neues Passwort
field-password-again = Dasselbe Passwort noch einmal
person-name-refused = Wählen Sie einen Namen mit 1 bis 100 Zeichen.
person-name-taken = Diesen Namen hat schon jemand. Wählen Sie einen anderen.

password-title = Passwort ändern
password-intro = Alle anderen Sitzungen enden, wenn Sie es ändern.
password-submit = Passwort ändern
password-hint = { $length } Zeichen oder mehr. Ein paar Wörter hintereinander sind besser als eines mit Sonderzeichen.
password-wrong = Das jetzige Passwort stimmt nicht.
password-differs = Die beiden neuen Passwörter sind nicht gleich.
password-too-short = Das Passwort ist zu kurz.
password-too-long = Das Passwort ist zu lang.

account-title = Ihr Konto
account-signed-in-as = Angemeldet als { $name }

sessions-title = Wo Sie angemeldet sind
sessions-intro = Mit einer Sitzung enden auch die Dokumente, die in ihr offen sind: was gespeichert war, bleibt gespeichert.
session-unknown = Ein Programm
session-this = diese
session-since = Seit
session-end = Beenden
sessions-end-all = Überall abmelden

said-password-changed = Das Passwort ist geändert. Ihre anderen Sitzungen sind beendet.
said-session-ended = Die Sitzung ist beendet.
said-sessions-ended = Sie sind überall abgemeldet.

sign-in-with = Mit { $label } anmelden
sign-in-or = oder mit einem Passwort
problem-provider = Sie konnten nicht angemeldet werden
problem-provider-hint = Die andere Seite hat nicht gesagt, wer Sie sind, oder Sie sind hier ausgeschlossen. Versuchen Sie es erneut; wenn es wieder geschieht, sagen Sie der Verwaltung Bescheid.
