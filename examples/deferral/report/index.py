"""The work: counts the words of a text. Its first attempt fails, to show a retry."""


def handler(event, context):
    if context.retry_count == 0:
        raise ConnectionError("the first attempt always fails")
    return {"words": len(event.split()), "attempts": context.retry_count + 1}
