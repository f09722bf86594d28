# What stands on every page, and what is said when something does not work.
skip-to-content = Skip to content
nav-label = Main
sign-out = Sign out

problem-home = To the first page
problem-not-found = There is nothing here
problem-not-found-hint = It was moved or deleted, or it is not shared with you. The address may also be mistyped.
problem-cross-site = This did not come from Lectern
problem-cross-site-hint = Another site sent this in your name, so nothing was done. If it was you, go back, load the page again and repeat it.
problem-malformed = That could not be understood
problem-malformed-hint = Nothing was changed. Go back, load the page again and repeat it.
problem-method = That cannot be done here
problem-method-hint = Nothing was changed. Start again from the first page.
problem-too-large = That is too large
problem-too-large-hint = An administrator can raise the limit in the settings.
problem-link-spent = This link does not work any more
problem-link-spent-hint = It was used already, or it ran out. Start Lectern again for a new one, if nobody could sign in yet.
problem-busy = That did not work just now
problem-busy-hint = Nothing was lost. Try again in a few seconds.
problem-failed = Something went wrong here
problem-failed-hint = It was written into the log. Try again; if it happens again, tell an administrator.
