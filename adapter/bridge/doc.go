// Package bridge maps MQTT topics outside the topic namespace of siomq to rooms
// and back, for devices whose topics cannot change. docs/BRIDGE.md is the text
// for people who write rules.
//
// [Parse] reads rules from a file, one a line; in Go a rule is a [Rule]. [New]
// compiles them for a broker and an [Emitter]; a rule that cannot work, or that
// goes both ways and could not come back the same, is an error that says why.
//
//	howest/{building}/{room}/sensors/{kind}  ->   room {building}/{room}  event sensor  payload json
//	lights/{room}/set                        <-   room {room}             event light   payload text
//	chat/{room}/{event}                      <->  namespace /chat  room {room}  event {event}
//
// # What happens
//
// A publish by an MQTT client is given to each rule -> or <-> whose topic fits, in the
// order of the rules, before it is acknowledged. What the Emitter refuses is
// refused to the client. A publish that no rule can read (its payload is not of the
// rule's kind) is counted and logged, and goes its way as an ordinary publish.
//
// [Bridge.Broadcast] is told of each emit, and publishes it by each rule <- or <->
// that fits. A message never goes out on the topic it came in by.
//
// # Loops
//
// A publish by the bridge carries the user property siomq-hops. One that has
// passed Options.MaxHops bridges is not mapped any more. Where the property is lost,
// because MQTT 3.1.1 has none, a publish that repeats topic and payload of one by
// this bridge within Options.EchoWindow is taken for its echo, once.
//
// # Limits
//
// 16 variables in a rule. Requests for answers (Response Topic) are not carried.
// With several servers on one broker the rules belong to one of them: each
// would map every publish.
package bridge
