// Package auth says who somebody is. One answer, a [Principal], serves both
// doors: the Socket.IO handshake and MQTT CONNECT. What a principal may do is
// decided elsewhere, in rooms/acl.
//
//	users, err := auth.OpenUsers("/etc/siomq/passwd", nil)
//	...
//	tokens, err := auth.NewJWT(&auth.JWTOptions{JWKSFile: "/etc/siomq/jwks.json", Issuer: "https://id.example.org"})
//	...
//	who := auth.Any(tokens, users)
//	p, err := who.Authenticate(ctx, &auth.Credentials{Username: "alice", Password: []byte("secret"), Via: auth.MQTT})
//
// # Authenticators
//
//   - [Users]: user name and password, from a file in Mosquitto's format;
//   - [JWT]: a signed token, in the auth object, the Authorization header or the MQTT password;
//   - [Certificates]: the client certificate that TLS has verified;
//   - [Anonymous]: who brings no credentials is let in as nobody;
//   - [Everyone]: everybody is let in as nobody;
//   - [Func]: a function of the application;
//   - [Any]: several, in order; [WithRoles] adds roles to what another one answers.
//
// # Errors
//
// Every refusal is an [ErrNotAuthorized]; its text says why and is for the log,
// never for the client, who must not learn whether the user or the password was
// wrong. [ErrBusy] is no refusal: the same credentials may do later.
//
// # Concurrency
//
// Authenticate and Reload of everything here may be called by many goroutines at
// once. [Users] may block while passwords are computed, within the limits of
// [UsersOptions], and gives up when the context ends. The others do not block,
// except what a [Func] does. Nothing here starts a goroutine, and there is nothing to close.
package auth
