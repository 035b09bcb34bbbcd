package args

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"siomq/rooms"
)

var (
	jsonMarshalerType   = reflect.TypeFor[json.Marshaler]()
	textMarshalerType   = reflect.TypeFor[encoding.TextMarshaler]()
	jsonUnmarshalerType = reflect.TypeFor[json.Unmarshaler]()
	argsType            = reflect.TypeFor[rooms.Args]()
	rawMessageType      = reflect.TypeFor[json.RawMessage]()
	numberType          = reflect.TypeFor[json.Number]()
	timeType            = reflect.TypeFor[time.Time]()
	isZeroerType        = reflect.TypeFor[interface{ IsZero() bool }]()
)

// typeInfo is what encoding and decoding ask about a type, found out once.
type typeInfo struct {
	// plain: encoding/json does the whole type rightly, because it can hold no
	// binary data, no floating point number (NaN), nothing of unknown type and no
	// text made by others, and cannot nest without end.
	plain bool
	// bytes: a slice of bytes that becomes an attachment.
	bytes  bool
	fields []field // of a struct
}

// typeInfos remembers the typeInfo of each reflect.Type. The entries depend on
// nothing but the type, whoever asks first.
var typeInfos sync.Map

func infoOf(t reflect.Type) *typeInfo {
	if v, ok := typeInfos.Load(t); ok {
		return v.(*typeInfo)
	}
	info := &typeInfo{plain: isPlain(t, nil), bytes: isBytes(t)}
	if t.Kind() == reflect.Struct {
		info.fields = fieldsOf(t)
	}
	v, _ := typeInfos.LoadOrStore(t, info)
	return v.(*typeInfo)
}

// isBytes reports whether t is a slice of bytes that encoding/json would write
// as base64, without a form of its own.
func isBytes(t reflect.Type) bool {
	if t.Kind() != reflect.Slice || t.Elem().Kind() != reflect.Uint8 || marshals(t) {
		return false
	}
	p := reflect.PointerTo(t.Elem())
	return !p.Implements(jsonMarshalerType) && !p.Implements(textMarshalerType)
}

// marshals reports whether t, or a pointer to it, has a JSON form of its own.
func marshals(t reflect.Type) bool {
	return implements(t, jsonMarshalerType) || implements(t, textMarshalerType)
}

func implements(t, iface reflect.Type) bool {
	return t.Implements(iface) || t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(iface)
}

// isPlain answers for typeInfo.plain. The types in open contain t.
func isPlain(t reflect.Type, open []reflect.Type) bool {
	switch {
	case t == timeType:
		return true
	case t == argsType, implements(t, jsonMarshalerType), isBytes(t), slices.Contains(open, t):
		return false
	case implements(t, textMarshalerType):
		return t.Kind() != reflect.Interface
	}
	open = append(open, t)
	switch t.Kind() {
	case reflect.Bool, reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return isPlain(t.Elem(), open)
	case reflect.Map:
		return isPlain(t.Key(), open) && isPlain(t.Elem(), open)
	case reflect.Struct:
		for i := range t.NumField() {
			if !isPlain(t.Field(i).Type, open) {
				return false
			}
		}
		return true
	}
	return false // interfaces, floating point numbers and what has no JSON form
}

// field is a member of a struct's JSON object.
type field struct {
	name      string
	index     []int // as for reflect.Value.FieldByIndex
	tagged    bool  // the name comes from the tag
	omitEmpty bool
	omitZero  bool
	quoted    bool // the tag's string option, on a type that it is for
}

// fieldsOf lists the members of struct type t in order, embedded structs
// resolved by the rules of encoding/json: of several fields with one name the least
// nested counts, of several on that level the one with a tag, and none
// if there is not exactly one.
func fieldsOf(t reflect.Type) []field {
	type level struct {
		t     reflect.Type
		index []int
	}
	byName := make(map[string][]field)
	seen := map[reflect.Type]bool{}
	for todo := []level{{t: t}}; len(todo) > 0; {
		var next []level
		for _, l := range todo {
			seen[l.t] = true
		}
		for _, l := range todo {
			for i := range l.t.NumField() {
				sf := l.t.Field(i)
				index := append(slices.Clone(l.index), i)
				f, embedded, ok := fieldOf(sf, index)
				switch {
				case !ok:
				case embedded == nil:
					byName[f.name] = append(byName[f.name], f)
				case !seen[embedded]:
					next = append(next, level{embedded, index})
				}
			}
		}
		todo = next
	}
	var fields []field
	for _, same := range byName {
		if f, ok := dominant(same); ok {
			fields = append(fields, f)
		}
	}
	slices.SortFunc(fields, func(a, b field) int { return slices.Compare(a.index, b.index) })
	return fields
}

// fieldOf reads one field of a struct. If the members of the struct it embeds
// take its place, it returns that struct's type.
func fieldOf(sf reflect.StructField, index []int) (f field, embedded reflect.Type, ok bool) {
	base := sf.Type
	if base.Name() == "" && base.Kind() == reflect.Pointer {
		base = base.Elem()
	}
	if !sf.IsExported() && (!sf.Anonymous || base.Kind() != reflect.Struct) {
		return f, nil, false
	}
	tag := sf.Tag.Get("json")
	if tag == "-" {
		return f, nil, false
	}
	name, options, _ := strings.Cut(tag, ",")
	if !validName(name) {
		name = ""
	}
	if name == "" && sf.Anonymous && base.Kind() == reflect.Struct {
		return f, base, true
	}
	if !sf.IsExported() {
		return f, nil, false // a tag on an embedded struct that is not exported
	}
	f = field{name: name, index: index, tagged: name != ""}
	if name == "" {
		f.name = sf.Name
	}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty":
			f.omitEmpty = true
		case "omitzero":
			f.omitZero = true
		case "string":
			f.quoted = quotable(base.Kind())
		}
	}
	return f, nil, true
}

func quotable(k reflect.Kind) bool {
	switch k {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return true
	}
	return false
}

// validName reports whether encoding/json takes a name in a tag.
func validName(s string) bool {
	for _, c := range s {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return false
		}
	}
	return s != ""
}

// dominant picks the field that counts among those of one name.
func dominant(same []field) (field, bool) {
	best, rivals := same[0], 0
	for _, f := range same[1:] {
		switch {
		case len(f.index) != len(best.index):
			if len(f.index) < len(best.index) {
				best, rivals = f, 0
			}
		case f.tagged == best.tagged:
			rivals++
		case f.tagged:
			best, rivals = f, 0
		}
	}
	return best, rivals == 0
}
