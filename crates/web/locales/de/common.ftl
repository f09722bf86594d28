# Was auf jeder Seite steht, und was gesagt wird, wenn etwas nicht geht.
skip-to-content = Zum Inhalt springen
nav-label = Hauptmenü
sign-out = Abmelden

problem-home = Zur ersten Seite
problem-not-found = Hier ist nichts
problem-not-found-hint = Es wurde verschoben oder gelöscht oder ist nicht für Sie freigegeben. Vielleicht ist auch die Adresse vertippt.
problem-cross-site = Das kam nicht von Lectern
problem-cross-site-hint = Eine andere Seite hat das in Ihrem Namen geschickt, darum wurde nichts getan. Wenn Sie es waren: gehen Sie zurück, laden Sie die Seite neu und wiederholen Sie es.
problem-malformed = Das war nicht zu verstehen
problem-malformed-hint = Nichts wurde geändert. Gehen Sie zurück, laden Sie die Seite neu und wiederholen Sie es.
problem-method = Das geht hier nicht
problem-method-hint = Nichts wurde geändert. Beginnen Sie auf der ersten Seite.
problem-too-large = Das ist zu groß
problem-too-large-hint = Die Verwaltung kann die Grenze in den Einstellungen erhöhen.
problem-link-spent = Dieser Link gilt nicht mehr
problem-link-spent-hint = Er wurde schon benutzt oder ist abgelaufen. Ein Neustart von Lectern gibt einen neuen aus, solange sich noch niemand anmelden konnte.
problem-busy = Das ging gerade nicht
problem-busy-hint = Nichts ging verloren. Versuchen Sie es in ein paar Sekunden erneut.
problem-failed = Hier ist etwas schiefgegangen
problem-failed-hint = Es steht im Protokoll. Versuchen Sie es erneut; wenn es wieder geschieht, sagen Sie der Verwaltung Bescheid.
