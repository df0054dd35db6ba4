namespace BpfPpcc.Verification.Walk;

/// <summary>
/// Finds the C expression that line information points to, so that a message can call a value by the programmer's name. Line information
/// names a line and a column: the start of an operand or its operator. No C parser: where the text is anything but a plain chain of names,
/// members and indices, nothing is found, and the message says what the register holds instead.
/// </summary>
internal static class SourceExpression
{
    private const int MaximumLength = 40;

    /// <summary>The expression that an access at a column is made by ("p->count", "*p", "a[i]"), or null.</summary>
    /// <param name="column">1-based.</param>
    public static string? At(string line, int column)
    {
        int at = column - 1;
        if (at < 0 || at >= line.Length)
            return null;
        if (IsWord(line[at]) && !IsKeyword(line, at))
            return Between(line, StartOfChain(line, StartOfWord(line, at)), EndOfChain(line, at));
        if (line[at] == '*' && at + 1 < line.Length && IsWord(line[at + 1]))
            return Between(line, at, EndOfChain(line, at + 1));
        if ("=+-|&^<>*/%".Contains(line[at], StringComparison.Ordinal))
            return LeftOperand(line, at) ?? RightOperand(line, at);
        return null;
    }

    /// <summary>The pointer that such an expression goes through: "p" of "p->count", "*p" and "p[i]"; null if it shows none.</summary>
    public static string? PointerOf(string? expression)
    {
        if (expression is null)
            return null;
        if (expression[0] == '*')
            return expression[1..];
        int arrow = expression.LastIndexOf("->", StringComparison.Ordinal);
        if (arrow > 0)
            return expression[..arrow];
        int bracket = expression.LastIndexOf('[');
        return bracket > 0 && !expression.Contains('.', StringComparison.Ordinal) ? expression[..bracket] : null;
    }

    /// <summary>The index in the last brackets of such an expression: "i" of "p->a[i]"; null if it shows none, or a constant.</summary>
    public static string? IndexOf(string? expression)
    {
        if (expression is null || expression[^1] != ']')
            return null;
        string index = expression[(expression.LastIndexOf('[') + 1)..^1].Trim();
        return index.Length > 0 && char.IsAsciiLetter(index[0]) && index.IndexOfAny(['(', ']', '+', '-', '*', '&']) < 0 ? index : null;
    }

    private static string? Between(string line, int start, int end)
    {
        if (start < 0 || end < 0)
            return null;
        string text = line[start..end];
        return text.Length <= MaximumLength ? text : null;
    }

    /// <summary>Whether the word here names nothing: a keyword that can start a statement, or a number.</summary>
    private static bool IsKeyword(string line, int at)
    {
        int start = StartOfWord(line, at), end = at;
        while (end < line.Length && IsWord(line[end]))
            end++;
        return char.IsAsciiDigit(line[start])
            || line[start..end] is "asm" or "__asm__" or "if" or "while" or "for" or "do" or "switch" or "return" or "sizeof" or "case" or "goto";
    }

    private static bool IsWord(char c) => char.IsAsciiLetterOrDigit(c) || c == '_';

    private static int StartOfWord(string line, int at)
    {
        while (at > 0 && IsWord(line[at - 1]))
            at--;
        return at;
    }

    /// <summary>The start of the chain of members whose last name begins at <paramref name="at"/>; -1 if it is no plain one.</summary>
    private static int StartOfChain(string line, int at)
    {
        while (true)
        {
            int before = at >= 2 && line[at - 1] == '>' && line[at - 2] == '-' ? at - 2 : at >= 1 && line[at - 1] == '.' ? at - 1 : -1;
            if (before < 0)
                return at >= 1 && line[at - 1] == '*' && IsUnary(line, at - 1) ? at - 1 : at;
            before = SkipIndices(line, before);
            if (before <= 0 || !IsWord(line[before - 1]))
                return -1;
            at = StartOfWord(line, before);
        }
    }

    /// <summary>Whether an operator that could be binary as well is not, because no operand stands before it.</summary>
    private static bool IsUnary(string line, int at)
    {
        string before = line[..at].TrimEnd();
        return before.Length == 0 || "=(,;{!&|?:+-<>[".Contains(before[^1], StringComparison.Ordinal) || before.EndsWith("return", StringComparison.Ordinal);
    }

    /// <summary>The start of the brackets that end before <paramref name="end"/>, or end itself.</summary>
    private static int SkipIndices(string line, int end)
    {
        while (end > 0 && line[end - 1] == ']')
        {
            int open = end - 1, depth = 0;
            for (; open >= 0; open--)
            {
                depth += line[open] == ']' ? 1 : line[open] == '[' ? -1 : 0;
                if (depth == 0)
                    break;
            }

            if (open < 0)
                return -1;
            end = open;
        }

        return end;
    }

    /// <summary>Behind the word at <paramref name="at"/> and the indices that follow it; -1 for calls and macros.</summary>
    private static int EndOfChain(string line, int at)
    {
        while (at < line.Length && IsWord(line[at]))
            at++;
        while (at < line.Length && line[at] == '[')
        {
            int depth = 0;
            for (; at < line.Length; at++)
            {
                depth += line[at] == '[' ? 1 : line[at] == ']' ? -1 : 0;
                if (depth == 0)
                    break;
            }

            if (at == line.Length)
                return -1;
            at++;
        }

        return at < line.Length && line[at] == '(' ? -1 : at;
    }

    private static string? LeftOperand(string line, int at)
    {
        int end = at;
        while (end > 0 && line[end - 1] == ' ')
            end--;
        int word = SkipIndices(line, end);
        return word <= 0 || !IsWord(line[word - 1]) ? null : Between(line, StartOfChain(line, StartOfWord(line, word - 1)), end);
    }

    private static string? RightOperand(string line, int at)
    {
        while (at < line.Length && !IsWord(line[at]))
        {
            if (!"+-=* ".Contains(line[at], StringComparison.Ordinal))
                return null;
            at++;
        }

        if (at == line.Length)
            return null;
        int end = EndOfChain(line, at);
        while (end >= 0 && end + 2 < line.Length && (line[end] == '.' || (line[end] == '-' && line[end + 1] == '>')))
            end = EndOfChain(line, end + (line[end] == '.' ? 1 : 2));
        return Between(line, at, end);
    }
}
