using System.Globalization;

namespace BpfPpcc.Verification;

/// <summary>A token of C: a word, a number or one punctuation character.</summary>
/// <param name="Line">1-based.</param>
/// <param name="Column">1-based.</param>
internal readonly record struct CToken(string Text, int Line, int Column)
{
    public bool IsWord => char.IsAsciiLetter(Text[0]) || Text[0] == '_';

    /// <summary>The number's value, or null.</summary>
    public long? Number => !char.IsAsciiDigit(Text[0]) ? null
        : Text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? long.TryParse(Text.AsSpan(2).TrimEnd("uUlL"), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long hex) ? hex : null
            : long.TryParse(Text.AsSpan().TrimEnd("uUlL"), NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : null;
}

/// <summary>C source in, its tokens out, without comments and preprocessor lines.</summary>
internal static class CTokens
{
    public static List<CToken> Read(string text)
    {
        var tokens = new List<CToken>();
        int line = 1, lineStart = 0;
        bool isLineEmpty = true;
        for (int at = 0; at < text.Length;)
        {
            char c = text[at];
            if (c == '\n')
            {
                line++;
                lineStart = ++at;
                isLineEmpty = true;
                continue;
            }

            int end = char.IsWhiteSpace(c) ? at + 1
                : c == '#' && isLineEmpty ? EndOfDirective(text, at)
                : StartsComment(text, at) ? EndOfComment(text, at)
                : at;
            if (end > at)
            {
                for (int i = at; i < end; i++)
                {
                    if (text[i] != '\n')
                        continue;
                    line++;
                    lineStart = i + 1;
                }

                at = end;
                continue;
            }

            isLineEmpty = false;
            end = at + 1;
            while (IsWordCharacter(c) && end < text.Length && IsWordCharacter(text[end]))
                end++;
            tokens.Add(new CToken(text[at..end], line, at - lineStart + 1));
            at = end;
        }

        return tokens;
    }

    private static bool IsWordCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c == '_';

    private static bool StartsComment(string text, int at) => text[at] == '/' && at + 1 < text.Length && text[at + 1] is '/' or '*';

    /// <summary>The end of the line, before its line feed; a backslash at its end joins the next line to it.</summary>
    private static int EndOfDirective(string text, int at)
    {
        while (at < text.Length && !(text[at] == '\n' && text[..at].TrimEnd('\r')[^1] != '\\'))
            at++;
        return at;
    }

    private static int EndOfComment(string text, int at)
    {
        string end = text[at + 1] == '/' ? "\n" : "*/";
        int found = text.IndexOf(end, at + 2, StringComparison.Ordinal);
        return found < 0 ? text.Length : end == "\n" ? found : found + 2;
    }
}
