package broker

import (
	"math"
	"strconv"
)

// HopsProperty is the user property that counts how often a bridge has published a
// message (adapter/bridge). It is how loops end.
const HopsProperty = "siomq-hops"

// Hops returns the count of HopsProperty, 0 without one. One that is no number from 0 to
// 255 is 255: who cannot count is not let around again.
func (m *Message) Hops() uint8 {
	for _, p := range m.UserProperties {
		if p.Key != HopsProperty {
			continue
		}
		n, err := strconv.ParseUint(p.Value, 10, 8)
		if err != nil {
			return math.MaxUint8
		}
		return uint8(n)
	}
	return 0
}

// SetHops adds HopsProperty to a message that has none, unless n is 0.
func (m *Message) SetHops(n uint8) {
	if n > 0 {
		m.UserProperties = append(m.UserProperties, Property{Key: HopsProperty, Value: strconv.Itoa(int(n))})
	}
}
