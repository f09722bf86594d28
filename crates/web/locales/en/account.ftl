# Signing in, the first start, passwords and sessions.
sign-in = Sign in
sign-in-title = Sign in to Lectern
sign-in-wrong = Name and password do not belong together.
sign-in-too-many = Too many attempts. Wait a minute, then try again.

welcome-title = Welcome to Lectern
welcome-intro = Choose a name and a password for the first administrator: for you. This link works once.
welcome-submit = Begin

field-name = Name
field-password = Password
field-current-password = Present password
field-new-password = New password
field-password-again = The same password again
person-name-refused = Choose a name of 1 to 100 characters.
person-name-taken = Somebody has that name already. Choose another one.

password-title = Change the password
password-intro = All other sessions end when you change it.
password-submit = Change the password
password-hint = { $length } characters or more. A few words in a row are better than one with odd signs.
password-wrong = The present password is not right.
password-differs = The two new passwords are not the same.
password-too-short = The password is too short.
password-too-long = The password is too long.

account-title = Your account
account-signed-in-as = Signed in as { $name }

sessions-title = Where you are signed in
sessions-intro = Ending a session also ends the documents that are open in it: what was saved stays saved.
session-unknown = A program
session-this = this one
session-since = Since
session-end = End
sessions-end-all = Sign out everywhere

said-password-changed = The password is changed. Your other sessions have ended.
said-session-ended = The session has ended.
said-sessions-ended = You are signed out everywhere.

sign-in-with = Sign in with { $label }
sign-in-or = or with a password
problem-provider = You could not be signed in
problem-provider-hint = The other side did not say who you are, or you are shut out here. Try again; if it happens again, tell an administrator.
