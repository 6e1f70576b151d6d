"""Does any damaged or hostile file crash us, hold us up, fill the memory, or open as another image in silence?"""
