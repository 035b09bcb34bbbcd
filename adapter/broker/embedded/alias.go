package embedded

import "strings"

// topicAlias is what stands for a topic on one connection, section 3.3.2.3.4.
type topicAlias struct {
	id    uint16 // 0: none
	known bool   // the client was told already: the topic is left out
}

// aliasOf returns the alias under which a publish may go out. The first topics
// get one and keep it: a client mostly receives the same few. It is called with
// session.mu held.
func (c *conn) aliasOf(topic string) topicAlias {
	if c.aliasMax == 0 {
		return topicAlias{}
	}
	if id, ok := c.topics[topic]; ok {
		return topicAlias{id, true}
	}
	if len(c.topics) < c.aliasMax {
		return topicAlias{id: uint16(len(c.topics) + 1)}
	}
	return topicAlias{}
}

// giveAlias notes that a publish with this alias goes out. It is called with
// session.mu held.
func (c *conn) giveAlias(topic string, a topicAlias) {
	if a.id == 0 || a.known {
		return
	}
	if c.topics == nil {
		c.topics = make(map[string]uint16)
	}
	c.topics[strings.Clone(topic)] = a.id // topic may lie in a buffer
}
