package auth

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// attribute is one part of a subject. Its value is kept as it is encoded, since
// crypto/x509 forgets order and types.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

type attributeSET []attribute // the name ends in SET: encoding/asn1 knows it by that

func parseSubject(raw []byte) ([]attributeSET, error) {
	var sets []attributeSET
	rest, err := asn1.Unmarshal(raw, &sets)
	if err == nil && len(rest) > 0 {
		err = errors.New("trailing bytes")
	}
	if err != nil {
		return nil, fmt.Errorf("subject: %w", err)
	}
	return sets, nil
}

// commonName returns the first common name, as Mosquitto takes it.
func commonName(raw []byte) (string, error) {
	sets, err := parseSubject(raw)
	if err != nil {
		return "", err
	}
	for _, set := range sets {
		for _, a := range set {
			if a.Type.String() != "2.5.4.3" {
				continue
			}
			s, ok := attributeText(a.Value)
			if !ok {
				return "", errors.New("the common name is not text")
			}
			return s, nil
		}
	}
	return "", errNoCommonName
}

// shortName returns OpenSSL's name of an attribute, which Mosquitto shows.
func shortName(oid string) string {
	switch oid {
	case "2.5.4.3":
		return "CN"
	case "2.5.4.4":
		return "SN"
	case "2.5.4.5":
		return "serialNumber"
	case "2.5.4.6":
		return "C"
	case "2.5.4.7":
		return "L"
	case "2.5.4.8":
		return "ST"
	case "2.5.4.9":
		return "street"
	case "2.5.4.10":
		return "O"
	case "2.5.4.11":
		return "OU"
	case "2.5.4.12":
		return "title"
	case "2.5.4.17":
		return "postalCode"
	case "2.5.4.41":
		return "name"
	case "2.5.4.42":
		return "GN"
	case "2.5.4.46":
		return "dnQualifier"
	case "0.9.2342.19200300.100.1.1":
		return "UID"
	case "0.9.2342.19200300.100.1.25":
		return "DC"
	case "1.2.840.113549.1.9.1":
		return "emailAddress"
	}
	return ""
}

// subjectRFC2253 writes a subject as OpenSSL's XN_FLAG_RFC2253 does: the last part first, bytes
// outside ASCII as \XX.
func subjectRFC2253(raw []byte) (string, error) {
	sets, err := parseSubject(raw)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i, set := range slices.Backward(sets) {
		for n, a := range slices.Backward(set) {
			switch {
			case n < len(set)-1:
				b.WriteByte('+')
			case i < len(sets)-1:
				b.WriteByte(',')
			}
			name := shortName(a.Type.String())
			text, ok := attributeText(a.Value)
			if name == "" || !ok {
				if name == "" {
					name = a.Type.String()
				}
				b.WriteString(name + "=#" + strings.ToUpper(hex.EncodeToString(a.Value.FullBytes)))
				continue
			}
			b.WriteString(name + "=")
			appendEscaped(&b, text)
		}
	}
	return b.String(), nil
}

// appendEscaped escapes as RFC 2253 section 2.4 and OpenSSL's ASN1_STRFLGS_RFC2253 say.
func appendEscaped(b *strings.Builder, s string) {
	for i := range len(s) {
		c := s[i]
		switch {
		case c < 0x20 || c >= 0x7f:
			fmt.Fprintf(b, `\%02X`, c)
			continue
		case strings.IndexByte(`,+"\<>;`, c) >= 0,
			c == '#' && i == 0,
			c == ' ' && (i == 0 || i == len(s)-1):
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
}

// attributeText decodes the string types of X.520.
func attributeText(v asn1.RawValue) (string, bool) {
	if v.Class != asn1.ClassUniversal {
		return "", false
	}
	switch v.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString, 26: // 26: VisibleString
		return string(v.Bytes), utf8.Valid(v.Bytes)
	case asn1.TagT61String: // as Latin-1, which is what people put there
		var b strings.Builder
		for _, c := range v.Bytes {
			b.WriteRune(rune(c))
		}
		return b.String(), true
	case asn1.TagBMPString:
		if len(v.Bytes)%2 != 0 {
			return "", false
		}
		units := make([]uint16, 0, len(v.Bytes)/2)
		for i := 0; i < len(v.Bytes); i += 2 {
			units = append(units, uint16(v.Bytes[i])<<8|uint16(v.Bytes[i+1]))
		}
		return string(utf16.Decode(units)), true
	}
	return "", false
}
