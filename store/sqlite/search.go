package sqlite

import "strings"

// listMark is how the words of a list begin in the search table: its integer
// in four characters.
func listMark(list int64) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	var mark [4]byte
	for i := range mark {
		mark[len(mark)-1-i] = digits[list%int64(len(digits))]
		list /= int64(len(digits))
	}
	return string(mark[:])
}

// searchable is the text that the search table indexes for words. Its
// tokenizer takes it apart at the spaces: words have no other ASCII than
// letters and digits.
func searchable(list int64, words []string) string {
	mark := listMark(list)
	var b strings.Builder
	for _, w := range words {
		b.WriteString(mark)
		b.WriteString(w)
		b.WriteByte(' ')
	}
	return b.String()
}

// matching is the search for documents that have, for each prefix, a word that
// starts so.
func matching(list int64, prefixes []string) string {
	mark := listMark(list)
	terms := make([]string, len(prefixes))
	for i, p := range prefixes {
		terms[i] = `"` + mark + p + `" *`
	}
	return strings.Join(terms, " AND ")
}
